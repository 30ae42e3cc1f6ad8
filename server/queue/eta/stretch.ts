/** So many waits count as one more weighs little; older ones fade. */
const DECAY = 0.9;
/** Until something is known the forecast stands as it is, with the weight of so many waits. */
const DOUBT = 2;
/** Beyond this a wait was the exception. */
const MOST = 4;
/** Those heard of last are kept. */
const FLOWS = 1024;
/** A foretold wait that is shorter has next to nothing before it; milliseconds. */
const SHORT_MS = 50;

interface Experience {
  weight: number;
  logs: number;
}

/**
 * How much longer waits come to be than what is before a request explains: those who come later are let in before
 * whoever has a long line of his own, and some who are before it give up. Neither can be computed, but it is much the
 * same from one request of a caller and class to the next.
 */
export class Stretch {
  readonly #flows = new Map<string, Experience>();

  learn(flow: string, ownShare: number, foretoldMs: number, actualMs: number): void {
    if (foretoldMs < SHORT_MS || actualMs <= 0) return;
    const { weight, logs } = this.#flows.get(flow) ?? { weight: 0, logs: 0 };
    const log = Math.log(Math.min(Math.max(actualMs / foretoldMs, 1 / MOST), MOST));
    // The map has them in the order in which they were last heard of.
    this.#flows.delete(flow);
    this.#flows.set(flow, { weight: weight * DECAY + ownShare ** 2, logs: logs * DECAY + log * ownShare });
    if (this.#flows.size <= FLOWS) return;
    for (const oldest of this.#flows.keys()) {
      this.#flows.delete(oldest);
      break;
    }
  }

  /** What to multiply a forecast by. */
  of(flow: string, ownShare: number): number {
    const { weight, logs } = this.#flows.get(flow) ?? { weight: 0, logs: 0 };
    return Math.exp((ownShare * logs) / (weight + DOUBT));
  }
}
