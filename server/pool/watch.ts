/** What is known of a worker at a look. */
export interface Seen {
  worker: number;
  /** Whether it has a sequence. */
  hasWork: boolean;
  /** A number that changes with every step. */
  steps: number;
  /** Its longest run of the model so far, in milliseconds; 0 before the first. */
  longestRunMs: number;
}

/** How long a worker with work may go without a step, in milliseconds. */
export interface Patience {
  /** At least this long: other programs, a heavy form or the garbage collector may hold a step up. */
  least: number;
  /** Before its first run has ended: a device may compile its kernels then. */
  first: number;
  /** At most this long: a machine that slept makes a run look long. */
  most: number;
  /** Between the two, so many times the longest run: a run is at most a prefill's chunk, whatever the prompt's length. */
  runs: number;
}

export const PATIENCE: Patience = { least: 10_000, first: 60_000, most: 300_000, runs: 20 };

/**
 * Patience with workers that load the model. Loading counts as one step, and the first start stands for the longest run.
 * `ops/jai.sh` (START_SECONDS) and systemd (`TimeoutStartSec`) wait for the same ten minutes.
 */
export const LOADING: Patience = { least: 30_000, first: 600_000, most: 600_000, runs: 20 };

/**
 * Tells which workers hang. A step is a run of the model or one sequence's token, so that long prompts and wide batches
 * make many steps. It knows no threads and no timers: the pool looks regularly.
 */
export class Watch {
  readonly #patience: Patience;
  readonly #longestLookMs: number;
  readonly #quiet = new Map<number, { steps: number; ms: number; limit: number }>();

  /**
   * @param lookMs how often it looks. Time in which it could not look counts for two looks at most: then this thread or the
   * whole machine was held up, and the workers are not to blame.
   */
  constructor(lookMs: number, patience: Patience = PATIENCE) {
    this.#longestLookMs = 2 * lookMs;
    this.#patience = patience;
  }

  /**
   * @param elapsedMs since the last look
   * @returns the workers that hang
   */
  look(seen: readonly Seen[], elapsedMs: number): number[] {
    const hung: number[] = [];
    const known = new Set(seen.map(({ worker }) => worker));
    for (const worker of this.#quiet.keys()) if (!known.has(worker)) this.#quiet.delete(worker);
    for (const { worker, hasWork, steps, longestRunMs } of seen) {
      const limit = this.limit(longestRunMs);
      const last = this.#quiet.get(worker);
      const isQuiet = hasWork && last?.steps === steps;
      const ms = isQuiet ? last.ms + Math.min(elapsedMs, this.#longestLookMs) : 0;
      // A worker that had no work has not been quiet, even if its next step has the same number.
      if (hasWork) this.#quiet.set(worker, { steps, ms, limit });
      else this.#quiet.delete(worker);
      if (ms < limit) continue;
      hung.push(worker);
      this.#quiet.delete(worker);
    }
    return hung;
  }

  /** How long a worker may be quiet, in milliseconds. */
  limit(longestRunMs: number): number {
    const { least, first, most, runs } = this.#patience;
    if (longestRunMs === 0) return first;
    return Math.min(Math.max(least, runs * longestRunMs), most);
  }

  /** How many workers have been quiet for half their time. */
  get stalled(): number {
    return [...this.#quiet.keys()].filter((worker) => this.isStalled(worker)).length;
  }

  isStalled(worker: number): boolean {
    const quiet = this.#quiet.get(worker);
    return quiet !== undefined && quiet.ms >= quiet.limit / 2;
  }
}
