import { Heap } from "./heap.js";
import { Lengths } from "./lengths.js";
import { Pace, type Sample } from "./pace.js";

/**
 * What a token of the prompt costs, in tokens written: a prompt is computed at once, a text one step after the other,
 * each of which reads the whole model.
 */
const PROMPT_TOKEN = 1 / 20;

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
    const free = Array.from(this.#running, ({ extent, startedAt, written, ending }) => {
      if (ending) return 0;
      const prompt = extent.promptTokens * PROMPT_TOKEN;
      const supposed = written ?? (now - startedAt) / ms - prompt;
      const unread = written === null ? Math.max(-supposed, 0) : 0;
      return (unread + this.#lengths.left(extent.most, Math.min(Math.max(supposed, 0), extent.most))) * ms;
    });
    while (free.length < slots) free.push(0);
    free.sort((a, b) => a - b);
    return new Schedule(free, ({ promptTokens, most }) => {
      return (promptTokens * PROMPT_TOKEN + this.#lengths.left(most)) * ms;
    });
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

/** Slots, and when each is free. */
export class Schedule {
  readonly #free: Heap<number>;
  readonly #duration: (extent: Extent) => number;
  #end: number;

  /** @param free in milliseconds from now, ascending */
  constructor(free: number[], duration: (extent: Extent) => number) {
    this.#end = free.at(-1) ?? 0;
    this.#free = new Heap((a, b) => a < b, free);
    this.#duration = duration;
  }

  /** When the next of those that wait starts, in milliseconds from now. */
  next(extent: Extent): number {
    const start = this.#free.pop() ?? 0;
    const end = start + this.#duration(extent);
    this.#free.push(end);
    this.#end = Math.max(this.#end, end);
    return start;
  }

  /** When the last of all ends that have been scheduled. */
  get end(): number {
    return this.#end;
  }
}
