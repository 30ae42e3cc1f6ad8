import { RoundRobin } from "./round-robin.js";

/** Milliseconds of work per turn of the event loop; about one step of the engine. */
const BUDGET = 10;
/** How many callbacks may be scheduled at once: more than the pieces of work that usually fit into one turn. */
const MOST_PIECES = 64;

/**
 * Spreads work over turns of the event loop. Once a turn's budget is spent, further work waits for a later turn, so that
 * streams wait for at most one piece of work. The time runs from the first piece of a turn on, and includes what other code
 * takes between two pieces.
 */
export class Turns {
  readonly #waiting = new RoundRobin<() => void, unknown>();
  #waitingCount = 0;
  /** Scheduled callbacks. Each begins one waiting piece of work. */
  #coming = 0;
  /** When the first piece of this turn began; null before it. */
  #began: number | null = null;

  /**
   * Runs `work` at once if this turn has budget left and nothing waits, else in a later turn.
   * @param owner whose work it is: owners take turns, and the work of one is first come, first served
   */
  take<T>(work: () => T, owner: unknown = null): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = () => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      };
      if (this.#waitingCount === 0 && this.#hasTime()) return run();
      this.#waiting.add(owner, run);
      this.#waitingCount++;
      this.#goOn();
    });
  }

  #hasTime(): boolean {
    const now = performance.now();
    if (this.#began === null) {
      this.#began = now;
      setImmediate(() => this.#endTurn());
    }
    return now - this.#began < BUDGET;
  }

  /** After a turn that took too long, the next turn does no work: the event loop first reads what has arrived meanwhile. */
  #endTurn(): void {
    const wasLong = performance.now() - this.#began! >= BUDGET;
    const end = () => {
      this.#began = null;
    };
    if (wasLong) setImmediate(end);
    else end();
  }

  /**
   * Schedules a callback for each piece. Promise reactions run between two callbacks, so those of a piece run, and their time
   * counts, before the next piece begins.
   */
  #goOn(): void {
    while (this.#coming < Math.min(this.#waitingCount, MOST_PIECES)) {
      this.#coming++;
      setImmediate(() => {
        this.#coming--;
        if (this.#waitingCount > 0 && this.#hasTime()) {
          this.#waitingCount--;
          this.#waiting.next()!();
        }
        this.#goOn();
      });
    }
  }
}
