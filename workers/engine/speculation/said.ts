/** How many tokens have to be the same before a place counts as said before. */
const CONTEXT = 3;
/** Longest match that is told from a shorter one. */
const LONGEST_MATCH = 12;
/** Places with the same context that are looked at, the newest first. */
const MOST_PLACES = 12;
/** Tokens that a store holds. */
const CAPACITY = 2 ** 15;
/** Lies between two texts, and is no token. */
const BETWEEN = -1;
const BUCKETS = 2 ** 15;

/** Tokens that may come next, and how likely each is if all before it came. */
export interface Draft {
  ids: number[];
  shares: number[];
}

/**
 * Texts that were written before, the newest of them, in which what follows the last few tokens of another is looked up. It takes
 * 512 KiB.
 */
export class Said {
  /** The tokens, the oldest overwritten by the newest. Place p lies at p % CAPACITY. */
  readonly #ids = new Int32Array(CAPACITY).fill(BETWEEN);
  /** By place: the place before it that ends with the same context, plus one; 0: none. */
  readonly #previous = new Float64Array(CAPACITY);
  /** By a hash of a context: the last place that ends with it, plus one. */
  readonly #last = new Float64Array(BUCKETS);
  #end = 0;

  /** Remembers a text. */
  add(ids: ArrayLike<number>): void {
    this.#push(BETWEEN);
    for (let i = 0; i < ids.length; i++) this.#push(ids[i]!);
  }

  /**
   * What followed the longest match of a text's end, as far as most of the places agree.
   * @param ids the text
   * @param most tokens to draft
   * @param least the least share that a drafted token has
   */
  draft(ids: readonly number[], most: number, least: number): Draft {
    const draft: Draft = { ids: [], shares: [] };
    let places = this.#places(ids);
    while (draft.ids.length < most && places.length > 0) {
      const votes = new Map<number, number>();
      let total = 0;
      for (const place of places) {
        const next = this.#at(place.next);
        total += place.weight;
        if (next !== BETWEEN) votes.set(next, (votes.get(next) ?? 0) + place.weight);
      }
      let [best, weight] = [BETWEEN, 0];
      for (const [id, vote] of votes) if (vote > weight) [best, weight] = [id, vote];
      const share = weight / total;
      if (best === BETWEEN || share < least) break;
      draft.ids.push(best);
      draft.shares.push(share);
      places = places.filter((place) => this.#at(place.next) === best);
      for (const place of places) place.next++;
    }
    return draft;
  }

  /** Places whose last tokens are those of a text; longer matches weigh more. */
  #places(ids: readonly number[]): { next: number; weight: number }[] {
    const places: { next: number; weight: number }[] = [];
    if (ids.length < CONTEXT) return places;
    let place = this.#last[bucketOf(ids.at(-3)!, ids.at(-2)!, ids.at(-1)!)]! - 1;
    for (let seen = 0; seen < MOST_PLACES && this.#holds(place); seen++) {
      const length = this.#matched(ids, place);
      if (length >= CONTEXT && this.#at(place + 1) !== BETWEEN)
        places.push({ next: place + 1, weight: 2 ** length });
      place = this.#previous[place % CAPACITY]! - 1;
    }
    return places;
  }

  #matched(ids: readonly number[], place: number): number {
    let length = 0;
    while (length < LONGEST_MATCH && length < ids.length) {
      const id = this.#at(place - length);
      if (id === BETWEEN || id !== ids[ids.length - 1 - length]) break;
      length++;
    }
    return length;
  }

  #push(id: number): void {
    const place = this.#end++;
    this.#ids[place % CAPACITY] = id;
    const [a, b] = [this.#at(place - 2), this.#at(place - 1)];
    if (a === BETWEEN || b === BETWEEN || id === BETWEEN) return;
    const bucket = bucketOf(a, b, id);
    this.#previous[place % CAPACITY] = this.#last[bucket]!;
    this.#last[bucket] = place + 1;
  }

  #holds(place: number): boolean {
    return place >= 0 && place < this.#end && place > this.#end - CAPACITY;
  }

  #at(place: number): number {
    return this.#holds(place) ? this.#ids[place % CAPACITY]! : BETWEEN;
  }
}

function bucketOf(a: number, b: number, c: number): number {
  const hash = Math.imul(Math.imul(Math.imul(a, 0x9e3779b1) ^ b, 0x85ebca6b) ^ c, 0xc2b2ae35);
  return (hash ^ (hash >>> 15)) & (BUCKETS - 1);
}
