/** Runs between two trials: the first pause and the longest. Each trial that changes nothing doubles the pause. */
const FIRST_PAUSE = 128;
const LAST_PAUSE = 1024;
/**
 * Runs of a trial. The first ones are not timed, since sleeping threads wake up and weights return to the CPU's
 * caches.
 */
const TRIAL = 12;
const UNTIMED = 4;
/** Weight of the latest run in the mean. */
const LATEST = 1 / 16;
/** The other way wins only if it takes less than this share of the current one's time: times vary from run to run. */
const CLEARLY = 0.85;

/**
 * Finds which of two ways to do the same work is faster, on this machine and now. Most runs go the faster way, and now
 * and then a few try the other. Begins with way 0.
 */
export class Contest {
  #faster: 0 | 1 = 0;
  /** The mean of the faster way's runs; the latest weigh most. */
  #usedMs: number | null = null;
  /** Time of the other way's timed runs in the current trial. */
  #triedMs = 0;
  #pause = FIRST_PAUSE;
  /** Runs until the next trial begins; the trial takes place from 0 down to -TRIAL. */
  #left = FIRST_PAUSE;

  /** The way that the next run should go. */
  next(): 0 | 1 {
    return this.#left <= 0 ? other(this.#faster) : this.#faster;
  }

  /** Takes the time of the run that `next` was last called for. A run that failed is not told of, and counts for nothing. */
  took(ms: number): void {
    this.#left--;
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
