import { Heap } from "../heap.js";
import type { Extent } from "../ticket.js";

/**
 * What reading a token of the prompt costs, in tokens written: a prompt is read in one step, an answer is written in one
 * step a token.
 */
const PROMPT_TOKEN = 1 / 20;

/** About a hundred sequences are remembered. */
const DECAY = 0.99;

/** A sequence, as far as it matters how long it holds its slot. */
export interface Occupant {
  readonly extent: Extent;
  startedAt: number;
  /** How many tokens it has written, as far as anybody has reported. */
  written: number | null;
  /** It has been asked to end. */
  ending: boolean;
}

/** Predicts when slots become free, from how fast and how much recent sequences wrote. */
export class Slots {
  readonly #now: () => number;
  readonly #slots: number;
  readonly #running = new Set<Occupant>();
  /** Of recent sequences, older ones weighing less; at first a guess of 50 tokens a second. */
  #tokens = 20;
  #ms = 400;
  /** Of what it may write, the share that a sequence does write, on average; at first all of it. */
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
    // While no worker is there, as if all were back at once.
    const slots = Math.max(capacity || this.#slots, this.#running.size, 1);
    const free = [...this.#running].map((occupant) => this.#left(occupant));
    while (free.length < slots) free.push(0);
    return new Schedule(free, ({ promptTokens, most }) => this.#msOf(promptTokens, most));
  }

  /** How long a running sequence will go on. */
  #left({ extent: { promptTokens, most }, startedAt, written, ending }: Occupant): number {
    if (ending) return 0;
    if (written !== null) return this.#msOf(0, most - written);
    const steps = (this.#now() - startedAt) / (this.#ms / this.#tokens);
    const unread = promptTokens - steps / PROMPT_TOKEN;
    // Nobody knows how far it is: never trust that it is nearly done.
    return unread > 0
      ? this.#msOf(unread, most)
      : this.#msOf(0, Math.max(most + unread * PROMPT_TOKEN, most / 2));
  }

  /** How long it takes to read a prompt, and to write the usual share of `most`. */
  #msOf(promptTokens: number, most: number): number {
    return (promptTokens * PROMPT_TOKEN + this.#share * Math.max(most, 0)) * (this.#ms / this.#tokens);
  }
}

/** Gives the slots to those that wait, one after the other: each takes the slot that is free first. */
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

  /** When the next slot is free. */
  get nextFree(): number {
    return this.#free.items[0]!;
  }

  /** Takes that slot, and says when. */
  next(extent: Extent): number {
    const start = this.#free.pop()!;
    this.#free.push(start + this.#durationOf(extent));
    return start;
  }

  /** When the last slot is free: everything has ended by then. */
  get lastFree(): number {
    return Math.max(...this.#free.items);
  }
}
