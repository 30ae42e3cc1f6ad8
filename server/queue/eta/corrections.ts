/** With each further wait the older ones weigh less. */
const DECAY = 0.9;
/** No correction at all weighs as much as so many waits. */
const DOUBT = 2;
/** A wait that was further off than this was an exception. */
const MOST = 4;
/** How many keys are remembered; those used last. */
const KEYS = 1024;
/** In milliseconds; the error of a shorter forecast says nothing. */
const SHORTEST_MS = 50;

interface Errors {
  weight: number;
  /** Sum of the logarithms of actual / foretold. */
  logs: number;
}

/**
 * Corrects forecasts by their recent errors. Some wait longer than the requests ahead of them explain: others come later
 * and are let in before. Or less long: some ahead give up. Neither can be computed, but for requests of one caller and
 * class it is much the same from one to the next.
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

  /** What to multiply a forecast by. */
  factorOf(key: string): number {
    const { weight, logs } = this.#errors.get(key) ?? { weight: 0, logs: 0 };
    return Math.exp(logs / (weight + DOUBT));
  }
}
