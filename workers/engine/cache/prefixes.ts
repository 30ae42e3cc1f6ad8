import { chunkAt, wholeChunks } from "./chunks.js";
import type { KvCache } from "./kv-cache.js";

/** The prompt of a slot's first rows. */
interface Held {
  ids: readonly number[];
  usedAt: number;
}

/**
 * Remembers the prompt whose rows each slot of the cache begins with, so that a prompt which begins alike need not
 * compute them again. Prompts are compared id by id, in full, so nobody gets rows of another text; only the time that
 * a prompt takes tells that somebody sent its beginning before.
 */
export class Prefixes {
  readonly #cache: KvCache;
  readonly #held: Held[];
  #clock = 0;

  constructor(cache: KvCache) {
    this.#cache = cache;
    this.#held = Array.from({ length: cache.slots }, () => ({ ids: [], usedAt: 0 }));
  }

  /** Says that a slot's rows are, or will be, those of `ids`. */
  hold(slot: number, ids: readonly number[]): void {
    this.#held[slot] = { ids, usedAt: ++this.#clock };
  }

  /** How many of a slot's rows another prompt can begin with. */
  rows(slot: number): number {
    return wholeChunks(Math.min(this.#cache.lengths[slot]!, this.#held[slot]!.ids.length));
  }

  /** The prompt of a slot. */
  ids(slot: number): readonly number[] {
    return this.#held[slot]!.ids;
  }

  /**
   * The slot that holds the most rows of `ids`, if those are more than `least`. The last id's row never counts, since
   * it has to run to give logits. Among equals a free slot wins: those lie behind the others.
   */
  find(ids: readonly number[], least: number): { slot: number; rows: number } | null {
    let best: { slot: number; rows: number } | null = null;
    for (let slot = this.#held.length - 1; slot >= 0; slot--) {
      const most = Math.min(this.rows(slot), wholeChunks(ids.length - 1));
      if (most <= (best?.rows ?? least)) continue;
      const rows = wholeChunks(commonLength(this.#held[slot]!.ids, ids, most));
      if (rows > (best?.rows ?? least)) best = { slot, rows };
    }
    return best;
  }

  /** Whether all reusable rows of a slot are rows of `ids`. */
  covers(ids: readonly number[], slot: number): boolean {
    const rows = this.rows(slot);
    return commonLength(this.#held[slot]!.ids, ids, rows) === rows;
  }

  /** Whether the next chunks of two slots are the same rows, and slot `a` could take them over from slot `b`. */
  sharesChunk(a: number, b: number): boolean {
    const start = this.#cache.lengths[a]!;
    const end = start + chunkAt(start);
    if (this.#cache.lengths[b] !== start || end >= this.ids(a).length) return false;
    return commonLength(this.ids(a), this.ids(b), end) === end;
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
}

/** How many of the first `most` ids are the same. */
function commonLength(a: readonly number[], b: readonly number[], most: number): number {
  let length = 0;
  while (length < most && a[length] === b[length]) length++;
  return length;
}
