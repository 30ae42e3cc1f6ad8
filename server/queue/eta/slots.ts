import { Heap } from "../heap.js";
import type { Extent } from "../ticket.js";

/**
 * What reading a token of the prompt costs, in tokens written: a prompt is read in one step, an answer is written in one
 * step a token.
 */
const PROMPT_TOKEN = 1 / 20;

/** About a hundred sequences are remembered. */
const DECAY = 0.99;

/** What is known of a running sequence, to predict when it frees its slot. */
export interface Occupant {
  readonly extent: Extent;
  startedAt: number;
  /** How many tokens it has written; null if nobody reports them. */
  written: number | null;
  /** Whether it was asked to end. */
  ending: boolean;
}

/** Predicts when slots become free, from the pace and the lengths of recent sequences. */
export class Slots {
  readonly #now: () => number;
  readonly #slots: number;
  readonly #running = new Set<Occupant>();
  /** Sums over recent sequences, in which older ones weigh less. At first a guess: 50 tokens a second. */
  #tokens = 20;
  #ms = 400;
  /** The average share of its limit that a sequence writes; at first all of it. */
  #share = 1;
  #shares = 1;

  /** @param slots how many there are when everything is well */
  constructor(slots: number, now: () => number) {
    this.#slots = slots;
    this.#now = now;
  }

  start(occupant: Occupant): void {
    occupant.startedAt = this.#now();
    this.#running.add(occupant);
  }

  /** @param written null for a sequence that was cancelled or failed: its length says nothing */
  end(occupant: Occupant, written: number | null): void {
    this.#running.delete(occupant);
    const { extent, startedAt } = occupant;
    const tokens = written ?? occupant.written ?? 0;
    if (tokens > 0) {
      this.#tokens = this.#tokens * DECAY + tokens + extent.promptTokens * PROMPT_TOKEN;
      this.#ms = this.#ms * DECAY + this.#now() - startedAt;
    }
    if (written === null) return;
    this.#shares = this.#shares * DECAY + 1;
    this.#share += (written / extent.most - this.#share) / this.#shares;
  }

  /** @param capacity how many slots there are now */
  schedule(capacity: number): Schedule {
    // While there is no worker: as if all slots came back now.
    const slots = Math.max(capacity || this.#slots, this.#running.size, 1);
    const free = [...this.#running].map((occupant) => this.#left(occupant));
    while (free.length < slots) free.push(0);
    return new Schedule(free, ({ promptTokens, most }) => this.#msOf(promptTokens, most));
  }

  /** How long a running sequence will still run. */
  #left({ extent: { promptTokens, most }, startedAt, written, ending }: Occupant): number {
    if (ending) return 0;
    if (written !== null) return this.#msOf(0, most - written);
    const steps = (this.#now() - startedAt) / (this.#ms / this.#tokens);
    const unread = promptTokens - steps / PROMPT_TOKEN;
    // Its length is unknown: never assume that it is nearly done.
    return unread > 0
      ? this.#msOf(unread, most)
      : this.#msOf(0, Math.max(most + unread * PROMPT_TOKEN, most / 2));
  }

  /** How long it takes to read a prompt, and to write the usual share of `most`. */
  #msOf(promptTokens: number, most: number): number {
    return (promptTokens * PROMPT_TOKEN + this.#share * Math.max(most, 0)) * (this.#ms / this.#tokens);
  }
}

/** Assigns slots to waiting sequences in order: each takes the slot that is free first. */
export class Schedule {
  /** When each slot becomes free, in milliseconds from now. */
  readonly #free: Heap<number>;
  readonly #durationOf: (extent: Extent) => number;

  constructor(free: number[], durationOf: (extent: Extent) => number) {
    this.#free = new Heap(
      (a, b) => a < b,
      free.toSorted((a, b) => a - b),
    );
    this.#durationOf = durationOf;
  }

  /** When the next slot becomes free, in milliseconds from now. */
  get nextFree(): number {
    return this.#free.items[0]!;
  }

  /** Takes that slot; returns when it became free. */
  next(extent: Extent): number {
    const start = this.#free.pop()!;
    this.#free.push(start + this.#durationOf(extent));
    return start;
  }

  /** When the last slot becomes free: everything has ended by then. */
  get lastFree(): number {
    return Math.max(...this.#free.items);
  }
}
