/** Milliseconds of work per turn of the event loop; about one step of the engine. */
const BUDGET = 10;

/**
 * Spreads work over turns of the event loop. Once a turn's budget is spent, further work waits for a later turn, so
 * that streams wait for at most one piece of work.
 */
export class Turns {
  #spent = 0;
  #next: Promise<void> | null = null;

  /** Runs `work` at once if this turn has budget left, else in a later turn; first come, first served. */
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
