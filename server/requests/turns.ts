/** In milliseconds; about a step of the engine. */
const BUDGET = 10;

/**
 * Spreads work over turns of the event loop. Once some milliseconds were spent in a turn, the rest waits for a later
 * one, so that streams wait for one piece of work at most.
 */
export class Turns {
  #spent = 0;
  #next: Promise<void> | null = null;

  /** Does the work at once if there is time left in this turn, else in a later one; first come, first served. */
  async take<T>(work: () => T): Promise<T> {
    while (this.#spent > BUDGET) await this.#turn();
    const start = performance.now();
    try {
      return work();
    } finally {
      this.#spent += performance.now() - start;
      void this.#turn();
    }
  }

  #turn(): Promise<void> {
    this.#next ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#spent = 0;
        this.#next = null;
        resolve();
      });
    });
    return this.#next;
  }
}
