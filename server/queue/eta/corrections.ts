/** What older waits still weigh after each new one. */
const DECAY = 0.9;
/** "No correction" has the weight of this many waits. */
const DOUBT = 2;
/** Larger errors are clipped to this factor, as exceptions. */
const MOST = 4;
/** How many keys are remembered: the most recently used. */
const KEYS = 1024;
/** Milliseconds. The error of a shorter forecast says nothing. */
const SHORTEST_MS = 50;

interface Errors {
  weight: number;
  /** Sum of the logarithms of actual / foretold. */
  logs: number;
}

/**
 * Corrects forecasts by their recent errors. A request may wait longer than the requests ahead of it explain, because
 * later ones are let in before it; or less long, because some ahead are cancelled. Neither can be predicted, but it is much
 * the same for all requests of one caller and class.
 */
export class Corrections {
  readonly #errors = new Map<string, Errors>();

  learn(key: string, foretoldMs: number, actualMs: number): void {
    if (foretoldMs < SHORTEST_MS || actualMs <= 0) return;
    const { weight, logs } = this.#errors.get(key) ?? { weight: 0, logs: 0 };
    const log = Math.log(Math.min(Math.max(actualMs / foretoldMs, 1 / MOST), MOST));
    // Deleted first, so that the map is in the order of the last use.
    this.#errors.delete(key);
    this.#errors.set(key, { weight: weight * DECAY + 1, logs: logs * DECAY + log });
    const [oldest] = this.#errors.keys();
    if (this.#errors.size > KEYS) this.#errors.delete(oldest!);
  }

  /** The factor for a forecast. */
  factorOf(key: string): number {
    const { weight, logs } = this.#errors.get(key) ?? { weight: 0, logs: 0 };
    return Math.exp(logs / (weight + DOUBT));
  }
}
