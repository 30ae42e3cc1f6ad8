/** Runs between two trials, at first; while trials change nothing they become rarer, up to the last. */
const FIRST_PAUSE = 128;
const LAST_PAUSE = 1024;
/** Runs of a trial. The first ones are not timed: threads that slept wake in them, and weights come back into the caches. */
const TRIAL = 12;
const UNTIMED = 4;
/** The weight of the latest run in the mean time. */
const LATEST = 1 / 16;
/** A way has to be so much faster than the one in use to replace it: times vary from run to run. */
const CLEARLY = 0.85;

/**
 * Finds which of two ways to do the same work is faster, on this machine and now: most runs go the faster way, and now
 * and then a few go the other. Begins with the first.
 */
export class Contest {
  #faster: 0 | 1 = 0;
  /** The mean of the faster way's runs; the latest weigh most. */
  #usedMs: number | null = null;
  /** The sum of the other way's timed runs in the trial that is under way. */
  #triedMs = 0;
  #pause = FIRST_PAUSE;
  /** Runs until the next trial begins; from 0 down to -TRIAL it is under way. */
  #left = FIRST_PAUSE;

  /** The way that the next run is to go. */
  next(): 0 | 1 {
    const isTrial = this.#left <= 0;
    this.#left--;
    return isTrial ? other(this.#faster) : this.#faster;
  }

  /** The run that `next` spoke of last took so long. */
  took(ms: number): void {
    if (this.#left >= 0) {
      this.#usedMs = this.#usedMs === null ? ms : this.#usedMs + LATEST * (ms - this.#usedMs);
      return;
    }
    if (this.#left < -UNTIMED) this.#triedMs += ms;
    if (this.#left === -TRIAL) this.#judge(this.#triedMs / (TRIAL - UNTIMED));
  }

  #judge(triedMs: number): void {
    if (triedMs < CLEARLY * this.#usedMs!) {
      this.#faster = other(this.#faster);
      this.#usedMs = triedMs;
      this.#pause = FIRST_PAUSE;
    } else this.#pause = Math.min(2 * this.#pause, LAST_PAUSE);
    this.#left = this.#pause;
    this.#triedMs = 0;
  }
}

const other = (way: 0 | 1) => (way === 0 ? 1 : 0);
