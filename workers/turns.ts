/** In milliseconds; about a step of the engine. */
const BUDGET = 10;

/**
 * Work that would hold up the thread's event loop if much of it came at once: the loop goes round whenever some
 * milliseconds have been spent on it, so that what streams meanwhile waits for one piece at most.
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
