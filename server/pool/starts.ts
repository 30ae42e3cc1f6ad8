import { LOADING, type Patience, Watch } from "./watch.js";

/** After this many failed starts in a row, the cause is taken to be permanent. */
const MOST_FAILURES = 5;
/** Pause after the first failed start; each further one doubles it. */
const FIRST_PAUSE_MS = 500;

/**
 * Keeps account of the workers' starts: the first one, of all workers together, then those of successors. Tells which take
 * too long, and what to do when one fails. It knows no threads and no timers.
 */
export class Starts {
  readonly #watch: Watch;
  readonly #begunAt = performance.now();
  /** How long the first start took; 0 before its end. */
  #firstMs = 0;
  #failuresInARow = 0;
  #failures = 0;

  /** @param lookMs how often `look` is called */
  constructor(lookMs: number, patience: Patience = LOADING) {
    this.#watch = new Watch(lookMs, patience);
  }

  /** Whether the first start has ended. */
  get isComplete(): boolean {
    return this.#firstMs > 0;
  }

  /** How many successors could not be started. */
  get failures(): number {
    return this.#failures;
  }

  /** Whether there is no point in further starts. @param others whether another worker is left */
  isHopeless(others: boolean): boolean {
    return !others || this.#failuresInARow >= MOST_FAILURES;
  }

  /** How long to wait before the next start, in milliseconds. */
  get pauseMs(): number {
    return FIRST_PAUSE_MS * 2 ** (this.#failuresInARow - 1);
  }

  /** How long a worker may load, in milliseconds. */
  get limitMs(): number {
    return this.#watch.limit(this.#firstMs);
  }

  /**
   * @param loading the workers that load the model
   * @param elapsedMs since the last look
   * @returns those that take too long
   */
  look(loading: readonly number[], elapsedMs: number): number[] {
    const seen = loading.map((worker) => ({ worker, hasWork: true, steps: 0, longestRunMs: this.#firstMs }));
    return this.#watch.look(seen, elapsedMs);
  }

  succeeded(): void {
    this.#failuresInARow = 0;
  }

  failed(): void {
    this.#failuresInARow++;
    if (this.isComplete) this.#failures++;
  }

  /** All workers of the first start have loaded the model. */
  complete(): void {
    if (!this.isComplete) this.#firstMs = performance.now() - this.#begunAt;
  }
}
