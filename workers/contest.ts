/**
 * How much a trial times, in milliseconds and in runs. It lasts longer than the slices of time in which a scheduler
 * shares a core: a thread that has slept gets its first slices at once, even on a core that another process keeps busy.
 */
const TRIAL_MS = 60;
const TRIAL_RUNS = 6;
/** The first runs after a change are not timed: sleeping threads wake up, and weights return to the CPU's caches. */
const UNTIMED_RUNS = 4;
/** The pace of the faster way is that of its runs in this time. */
const WINDOW_MS = 200;
/** Time between two trials: the first pause and the longest. Each trial that changes nothing doubles the pause. */
const FIRST_PAUSE_MS = 500;
const LAST_PAUSE_MS = 16_000;
/** The other way is taken only if it takes less than this share of the time: times vary from run to run. */
const CLEARLY = 0.85;

/** Time and work of recent runs. */
interface Pace {
  ms: number;
  work: number;
  runs: number;
}

const unknown = (): Pace => ({ ms: 0, work: 0, runs: 0 });
const perWork = ({ ms, work }: Pace) => ms / work;

/**
 * Finds which of two ways to do the same work is faster, on this machine and now. It begins with way 0 and tries way 1
 * soon. Most runs go the faster way; now and then a few try the other, and at once when the faster way has become slower
 * than the other was.
 */
export class Contest {
  #faster: 0 | 1 = 0;
  #used = unknown();
  #tried = unknown();
  /** Milliseconds for each unit of work that the other way took when it was last tried. */
  #other = Number.POSITIVE_INFINITY;
  #isTrial = false;
  #untimed = UNTIMED_RUNS;
  #pauseMs = FIRST_PAUSE_MS;
  /** Until the next trial. The first comes as soon as the pace of way 0 is known. */
  #leftMs = TRIAL_MS;

  /** The way that the next run should go. */
  next(): 0 | 1 {
    return this.#isTrial ? other(this.#faster) : this.#faster;
  }

  /**
   * Takes the time of the run that `next` was last called for. A run that failed is not reported and has no effect.
   * @param work its size in any unit; times are compared for each unit
   */
  took(ms: number, work = 1): void {
    if (this.#untimed > 0) this.#untimed--;
    else if (this.#isTrial) this.#tookTrial(ms, work);
    else this.#tookUsed(ms, work);
  }

  #tookUsed(ms: number, work: number): void {
    const kept = Math.max(1 - ms / WINDOW_MS, 0);
    const used = this.#used;
    this.#used = { ms: used.ms * kept + ms, work: used.work * kept + work, runs: used.runs + 1 };
    this.#leftMs -= ms;
    const isDue = this.#leftMs <= 0 || CLEARLY * perWork(this.#used) > this.#other;
    if (!isDue || this.#used.runs < TRIAL_RUNS) return;
    this.#isTrial = true;
    this.#untimed = UNTIMED_RUNS;
  }

  #tookTrial(ms: number, work: number): void {
    const tried = this.#tried;
    tried.runs++;
    tried.ms += ms;
    tried.work += work;
    if (tried.ms >= TRIAL_MS && tried.runs >= TRIAL_RUNS) this.#judge();
  }

  #judge(): void {
    if (perWork(this.#tried) < CLEARLY * perWork(this.#used)) {
      this.#faster = other(this.#faster);
      [this.#used, this.#other] = [this.#tried, perWork(this.#used)];
      this.#pauseMs = FIRST_PAUSE_MS;
    } else {
      this.#other = perWork(this.#tried);
      this.#pauseMs = Math.min(2 * this.#pauseMs, LAST_PAUSE_MS);
    }
    this.#tried = unknown();
    this.#isTrial = false;
    this.#untimed = UNTIMED_RUNS;
    this.#leftMs = this.#pauseMs;
  }
}

const other = (way: 0 | 1) => (way === 0 ? 1 : 0);
