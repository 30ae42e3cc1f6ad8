import type { Grid } from "./grid.js";
import type { KvCache } from "./kv-cache.js";

/** The ids of rows: all from `start` on. They may grow. */
export interface Text {
  ids: readonly number[];
  start: number;
  /** Whose text it is. */
  caller: string;
}

interface Held extends Text {
  usedAt: number;
}

/** Copying fewer rows than this costs more than computing them. */
const LEAST_GAIN = 8;

/**
 * Remembers the text whose rows each slot of the cache begins with, so that a prompt which begins alike need not
 * compute them again. Texts are compared id by id, in full, so nobody gets rows of another text. Callers share nothing:
 * the time that a prompt takes would tell one what another has sent.
 */
export class Prefixes {
  readonly #cache: KvCache;
  readonly #grid: Grid;
  readonly #held: Held[];
  #clock = 0;

  constructor(cache: KvCache, grid: Grid) {
    this.#cache = cache;
    this.#grid = grid;
    this.#held = Array.from({ length: cache.slots }, () => ({ ids: [], start: 0, caller: "", usedAt: 0 }));
  }

  /** Says that a slot's rows are, or will be, those of a text. */
  hold(slot: number, text: Text): void {
    this.#held[slot] = { ...text, usedAt: ++this.#clock };
  }

  text(slot: number): Text {
    return this.#held[slot]!;
  }

  /** How many of a slot's rows another prompt can begin with. */
  rows(slot: number): number {
    const { ids, start } = this.#held[slot]!;
    return this.#grid.reusable(Math.min(this.#cache.lengths[slot]!, ids.length - start));
  }

  /**
   * The slot that holds the most rows of a text, if those are more than `least` by what is worth a copy. The last id's row
   * never counts, since it has to run to give logits. Among equals a free slot wins: those lie behind the others.
   */
  find(text: Text, least: number): { slot: number; rows: number } | null {
    let best: { slot: number; rows: number } | null = null;
    for (let slot = this.#held.length - 1; slot >= 0; slot--) {
      const most = Math.min(this.rows(slot), this.#grid.reusable(text.ids.length - text.start - 1));
      const needed = best ? best.rows + 1 : least + LEAST_GAIN;
      if (most < needed) continue;
      const rows = this.#grid.reusable(this.#common(slot, text, most));
      if (rows >= needed) best = { slot, rows };
    }
    return best;
  }

  /** Whether all reusable rows of a slot are rows of a text. */
  covers(text: Text, slot: number): boolean {
    const rows = this.rows(slot);
    return this.#common(slot, text, rows) === rows;
  }

  /**
   * Whether slot `a` should wait for the rows that slot `b` is about to compute: whether it could take enough of them over.
   * @param count how many slot `b` computes
   */
  awaits(a: number, b: number, count: number): boolean {
    const from = this.#cache.lengths[a]!;
    const text = this.#held[a]!;
    const end = Math.min(this.#cache.lengths[b]! + count, text.ids.length - text.start - 1);
    if (this.#cache.lengths[b]! > from || end < from + LEAST_GAIN) return false;
    const common = this.#grid.reusable(this.#common(b, text, end));
    return common >= from + Math.min(count, LEAST_GAIN);
  }

  /** The slot from `first` on whose rows were unused for the longest time. */
  oldest(first: number): number {
    let oldest = first;
    for (let slot = first; slot < this.#held.length; slot++) {
      if (this.#age(slot) < this.#age(oldest)) oldest = slot;
    }
    return oldest;
  }

  /** Marks a slot's rows as used just now. */
  touch(slot: number): void {
    this.#held[slot]!.usedAt = ++this.#clock;
  }

  swap(a: number, b: number): void {
    const held = this.#held[a]!;
    this.#held[a] = this.#held[b]!;
    this.#held[b] = held;
  }

  #age(slot: number): number {
    return this.rows(slot) > 0 ? this.#held[slot]!.usedAt : 0;
  }

  /** How many of the first `most` ids of a slot's text are those of another of the same caller. */
  #common(slot: number, { ids, start, caller }: Text, most: number): number {
    const held = this.#held[slot]!;
    if (held.caller !== caller) return 0;
    let length = 0;
    while (length < most && held.ids[held.start + length] === ids[start + length]) length++;
    return length;
  }
}
