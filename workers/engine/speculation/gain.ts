import type { Draft } from "./said.js";

/** Most tokens that are drafted for a sequence. */
export const MOST_DRAFTED = 7;
/** Weight of the newest step in the averages. */
const NEWEST = 0.1;
/** Steps of a batch's size after which a time is too old: the cache has grown since, or other work has come. */
const STALE_STEPS = 400;
/**
 * A step that takes this much longer than usual was interrupted; it counts as this much. If the usual is this much longer than a
 * step, the usual was.
 */
const MOST_SLOWER = 3;
/** How much better steps with drafts must be, as expected and as seen afterwards, since times and expectations vary. */
const CLEARLY = { expected: 1.15, seen: 1.02 } as const;
/** Tokens of steps for which drafts are looked up, after which is judged whether they paid. */
const TRIAL = 150;
/** Steps of a pause, in which drafts are not even looked up: the first and the longest. Each doubles while nothing pays. */
const FIRST_PAUSE = 128;
const LAST_PAUSE = 2048;
/** Every so many steps one is plain, to compare with: the cache grows, and other work comes and goes. */
const COMPARED = 12;

interface Time {
  ms: number;
  /** The step that it is from. */
  at: number;
}

/** Measured times of batches of one size, and whether drafts paid there. */
class Size {
  #steps = 0;
  /** Times of steps by the rows of each sequence; at 0 those of plain steps for which nothing was looked up. */
  readonly #times: Time[] = [];
  /** Of which rows there was a step: the first of a kind makes its memory ready, and tells nothing of others. */
  readonly #ready = new Set<number>();
  #paused = 0;
  #pause = FIRST_PAUSE;
  /** Of the steps since the last judgement: their tokens, and the tokens of plain steps in their time. */
  #trial = { tokens: 0, plain: 0 };

  /** Whether drafts are looked up for the next step. */
  looksUp(): boolean {
    return this.#paused === 0 && this.plainMs !== null && this.#steps % COMPARED !== 0;
  }

  /** Milliseconds of a plain step; null if none was measured lately. */
  get plainMs(): number | null {
    return this.ms(0);
  }

  /** Milliseconds of a step of so many rows; null if none was measured lately. */
  ms(rows: number): number | null {
    const time = this.#times[rows];
    return time && this.#steps - time.at < STALE_STEPS ? time.ms : null;
  }

  took(ms: number, batch: number, rows: number, tokens: number): void {
    const plain = this.plainMs;
    const looked = this.looksUp();
    const kind = looked ? rows : 0;
    if (!this.#ready.has(kind)) this.#ready.add(kind);
    else {
      const counted = this.#average(ms, kind);
      if (looked && plain !== null) this.#judge(tokens, (batch * counted) / plain);
    }
    if (this.#paused > 0) this.#paused--;
    this.#steps++;
  }

  /** Takes the time of a step into the average. Returns as how much it counts. */
  #average(ms: number, rows: number): number {
    const usual = this.ms(rows) ?? ms;
    const known = usual > MOST_SLOWER * ms ? ms : usual;
    const counted = Math.min(ms, MOST_SLOWER * known);
    this.#times[rows] = { ms: known + NEWEST * (counted - known), at: this.#steps };
    return counted;
  }

  #judge(tokens: number, plain: number): void {
    const trial = this.#trial;
    trial.tokens += tokens;
    trial.plain += plain;
    if (trial.tokens < TRIAL) return;
    if (trial.tokens >= CLEARLY.seen * trial.plain) this.#pause = FIRST_PAUSE;
    else {
      this.#paused = this.#pause;
      this.#pause = Math.min(2 * this.#pause, LAST_PAUSE);
    }
    this.#trial = { tokens: 0, plain: 0 };
  }
}

/**
 * Decides how many tokens to draft, by the times of recent steps on this machine: those that bring the most tokens a millisecond.
 * It learns each size of batch by itself, in powers of two.
 */
export class Gain {
  readonly #sizes = new Map<number, Size>();

  /** Whether drafts for the next step are worth looking up. */
  looksUp(batch: number): boolean {
    return this.#size(batch).looksUp();
  }

  /**
   * How many tokens to draft for each sequence at most, 0 to `MOST_DRAFTED`.
   * @param batch how many sequences the step has
   * @param drafts of those that have one
   */
  most(batch: number, drafts: readonly Draft[]): number {
    const size = this.#size(batch);
    const plain = size.plainMs;
    if (plain === null) return 0;
    const longest = Math.max(0, ...drafts.map(({ ids }) => ids.length));
    let [best, pace] = [0, (batch / plain) * CLEARLY.expected];
    // A step of more rows takes as long as one of fewer at least. What wasn't tried is taken to last no longer, so that it is tried.
    let ms = plain;
    for (let drafted = 1; drafted <= longest; drafted++) {
      let tokens = batch;
      for (const { expected } of drafts) tokens += expected[Math.min(drafted, expected.length) - 1]!;
      ms = Math.max(ms, size.ms(drafted + 1) ?? 0);
      if (tokens / ms > pace) [best, pace] = [drafted, tokens / ms];
    }
    return best;
  }

  /**
   * Takes the time of a step.
   * @param rows of each sequence; above 1 with drafts
   * @param tokens that it brought
   */
  took(ms: number, batch: number, rows: number, tokens: number): void {
    this.#size(batch).took(ms, batch, rows, tokens);
  }

  #size(batch: number): Size {
    const power = Math.ceil(Math.log2(batch));
    const known = this.#sizes.get(power);
    if (known) return known;
    const size = new Size();
    this.#sizes.set(power, size);
    return size;
  }
}
