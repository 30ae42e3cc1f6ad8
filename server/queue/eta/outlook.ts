import { Heap } from "../heap.js";
import { Lengths } from "./lengths.js";
import { Pace, type Sample } from "./pace.js";

/**
 * What a token of the prompt costs, in tokens written: a prompt is computed at once, a text one step after the other,
 * each of which reads the whole model.
 */
const PROMPT_TOKEN = 1 / 20;

/** So many times at which a sequence may end stand for all of them; fewer where many slots even each other out. */
const ENDS = 8;
const ALL_ENDS = 256;

/** Behind this many, and two for each slot, the slots are taken to become free evenly: it is seen no better, and cheaper. */
const NEAR = 32;

/** What a sequence may come to, in tokens. */
export interface Extent {
  promptTokens: number;
  /** The most that it may write. */
  most: number;
}

/** A sequence that runs. */
export interface Run {
  readonly extent: Extent;
  readonly startedAt: number;
  readonly areaBefore: number;
  /** As far as anybody has told. */
  written: number | null;
  /** It has been asked to end. */
  ending: boolean;
}

/** Foresees when slots become free, from the pace and the lengths of what has run and runs. */
export class Outlook {
  readonly #now: () => number;
  readonly #slots: number;
  readonly #pace: Pace;
  readonly #lengths = new Lengths();
  readonly #running = new Set<Run>();
  /** Sequences times milliseconds, all that ever ran; two readings give the mean number in between. */
  #area = 0;
  #areaAt = 0;

  constructor(slots: number, now: () => number) {
    this.#now = now;
    this.#slots = slots;
    this.#pace = new Pace(slots);
  }

  start(extent: Extent): Run {
    this.#measureArea();
    const run: Run = { extent, startedAt: this.#now(), areaBefore: this.#area, written: null, ending: false };
    this.#running.add(run);
    return run;
  }

  /** @param written null: nobody knows, and nothing is learnt but what was told before */
  end(run: Run, written: number | null): void {
    this.#measureArea();
    this.#running.delete(run);
    if (written === null) {
      // It was cancelled, or failed: its length says nothing, its pace does.
      if (run.written !== null && run.written > 0) this.#pace.learn(this.#sample(run, run.written));
      return;
    }
    this.#pace.learn(this.#sample(run, written));
    this.#lengths.learn(written, run.extent.most);
  }

  /** When those that wait will start, if so many slots are there. */
  schedule(capacity: number): Schedule {
    this.#measureArea();
    // While no worker is there, as if they were back at once.
    const slots = Math.max(capacity || this.#slots, this.#running.size, 1);
    const ms = this.#msPerToken(slots);
    const now = this.#now();
    const ends = Math.max(1, Math.min(ENDS, Math.ceil(ALL_ENDS / slots)));
    const lasts = ({ promptTokens, most }: Extent, share: number) =>
      (promptTokens * PROMPT_TOKEN + share * most) * ms;
    const schedule = new Schedule(slots, this.#lengths.left(1, 0, ends), lasts);
    for (const { extent, startedAt, written, ending } of this.#running) {
      if (ending) {
        schedule.free(0);
        continue;
      }
      const supposed = written ?? (now - startedAt) / ms - extent.promptTokens * PROMPT_TOKEN;
      const unread = Math.max(-supposed, 0);
      const left = this.#lengths.left(extent.most, Math.max(supposed, 0), ends);
      schedule.run(left.map((tokens) => (unread + tokens) * ms));
    }
    for (let slot = this.#running.size; slot < slots; slot++) schedule.free(0);
    return schedule;
  }

  #msPerToken(slots: number): number {
    const told: Sample[] = [];
    for (const run of this.#running) if (run.written) told.push(this.#sample(run, run.written));
    const ms = this.#pace.msPerToken(slots, told);
    // One that nobody has told anything of, and that should have ended by now at the latest, shows that the pace is less.
    const late: Sample[] = [];
    for (const run of this.#running) {
      const { promptTokens, most } = run.extent;
      const whole = (most + promptTokens * PROMPT_TOKEN) * ms;
      if (run.written === null && this.#now() - run.startedAt > whole) late.push(this.#sample(run, most));
    }
    return late.length === 0 ? ms : this.#pace.msPerToken(slots, [...told, ...late]);
  }

  #sample({ extent, startedAt, areaBefore }: Run, written: number): Sample {
    const ms = Math.max(this.#now() - startedAt, 0);
    const tokens = written + extent.promptTokens * PROMPT_TOKEN;
    return { tokens, ms, beside: ms === 0 ? this.#running.size : (this.#area - areaBefore) / ms };
  }

  #measureArea(): void {
    const now = this.#now();
    this.#area += this.#running.size * (now - this.#areaAt);
    this.#areaAt = now;
  }
}

/** A slot becomes free, in so far as a sequence that may end at several times ends then. */
interface End {
  at: number;
  part: number;
}

/**
 * When slots become free. Nobody knows when a sequence will end, but of many it is known how many will have ended by
 * when: each gives a part of its slot back at each of the times at which it may end, and the next of those that wait
 * starts when the parts make up one, or rather, since the question is when it's as likely sooner as later, one less a half.
 */
export class Schedule {
  readonly #ends = new Heap<End>((a, b) => a.at < b.at);
  readonly #slots: number;
  readonly #shares: number[];
  readonly #meanShare: number;
  readonly #lasts: (extent: Extent, share: number) => number;
  #near: number;
  #freed = 0.5;
  #now = 0;

  /**
   * @param shares of what they may write, that sequences write; each as likely
   * @param lasts how long a sequence lasts that writes such a share, in milliseconds
   */
  constructor(slots: number, shares: number[], lasts: (extent: Extent, share: number) => number) {
    this.#slots = slots;
    this.#shares = shares;
    this.#meanShare = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    this.#lasts = lasts;
    this.#near = NEAR + 2 * slots;
  }

  /** A slot that is free after so many milliseconds. */
  free(at: number): void {
    this.#ends.push({ at, part: 1 });
  }

  /** A slot whose sequence ends after so many milliseconds, each as likely. */
  run(ends: number[], from = 0): void {
    for (const at of ends) this.#ends.push({ at: from + at, part: 1 / ends.length });
  }

  /** When the next of those that wait starts, in milliseconds from now. */
  next(extent: Extent): number {
    if (this.#near-- > 0) {
      while (this.#freed < 1) this.#pop();
      this.#freed -= 1;
      this.run(
        this.#shares.map((share) => this.#lasts(extent, share)),
        this.#now,
      );
      return this.#now;
    }
    const start = this.#now;
    this.#now += this.#lasts(extent, this.#meanShare) / this.#slots;
    return start;
  }

  /** When all will have ended. */
  end(): number {
    let end = this.#now;
    for (const { at } of this.#ends.items) end = Math.max(end, at);
    return end;
  }

  #pop(): void {
    const end = this.#ends.pop();
    if (end === undefined) throw new Error("expected a slot, got none");
    this.#freed += end.part;
    this.#now = end.at;
  }
}
