import type { Draft } from "./said.js";

/** Most tokens that are drafted for a sequence. */
export const MOST_DRAFTED = 7;
/** Weight of the newest run in the averages. */
const NEWEST = 0.1;
/** Runs after which a time is too old: the cache has grown since, or other work has come. */
const STALE_RUNS = 300;
/** How much longer a row more is taken to make a run that wasn't tried lately: little, so that it is tried. */
const UNTRIED = 0.08;
/** A run with drafts must be this much better, since it makes texts come in bursts. */
const CLEARLY = 1.05;

interface Time {
  ms: number;
  /** The run that it is from. */
  at: number;
}

/**
 * Decides how many tokens to draft, by the times of recent runs on this machine: those that bring the most tokens a millisecond.
 * Times are kept by the size of the batch, in powers of two, and by the rows of each sequence.
 */
export class Gain {
  readonly #times = new Map<number, Time[]>();
  #runs = 0;

  /**
   * How many tokens to draft for each sequence at most, 0 to `MOST_DRAFTED`.
   * @param batch how many sequences the run has
   * @param drafts of those that have one
   */
  most(batch: number, drafts: readonly Draft[]): number {
    const longest = Math.max(0, ...drafts.map(({ ids }) => ids.length));
    const plain = this.#time(batch, 1);
    if (longest === 0 || plain === null) return 0;
    let [best, pace] = [0, (batch / plain) * CLEARLY];
    let tokens = batch;
    const coming = drafts.map(() => 1);
    for (let drafted = 1; drafted <= longest; drafted++) {
      for (const [i, { shares }] of drafts.entries()) {
        coming[i]! *= shares[drafted - 1] ?? 0;
        tokens += coming[i]!;
      }
      const ms = this.#time(batch, drafted + 1) ?? plain * (1 + UNTRIED * drafted);
      if (tokens / ms > pace) [best, pace] = [drafted, tokens / ms];
    }
    return best;
  }

  /** Takes the time of a run of `rows` for each of `batch` sequences. */
  took(ms: number, batch: number, rows: number): void {
    const times = this.#timesOf(batch);
    const known = this.#time(batch, rows);
    const newest = known === null ? ms : known + NEWEST * (Math.min(ms, 3 * known) - known);
    times[rows] = { ms: newest, at: ++this.#runs };
  }

  #time(batch: number, rows: number): number | null {
    const time = this.#timesOf(batch)[rows];
    return time && this.#runs - time.at < STALE_RUNS ? time.ms : null;
  }

  #timesOf(batch: number): Time[] {
    const size = Math.ceil(Math.log2(batch));
    const known = this.#times.get(size);
    if (known) return known;
    const times: Time[] = [];
    this.#times.set(size, times);
    return times;
  }
}
