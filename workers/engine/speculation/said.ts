/** How many tokens have to be the same before a place counts as said before. */
const CONTEXT = 3;
/** Longest match that is told from a shorter one. */
const LONGEST_MATCH = 10;
/** Places with the same context that are looked at, the newest first. */
const MOST_PLACES = 6;
/** Tokens that a store holds; a power of two. */
const CAPACITY = 2 ** 15;
const MASK = CAPACITY - 1;
const BUCKETS = 2 ** 15;
/** Lies between two texts, and is no token. */
const BETWEEN = -1;
/** Weight of the newest drafted token in the record of how many came true. */
const NEWEST = 0.02;

/** Tokens that may come next. */
export interface Draft {
  ids: number[];
  /** How many of the first tokens are expected to come true: `expected[i]` of i + 1 tokens. */
  expected: number[];
  /** How many tokens before the draft were the same. */
  matched: number;
  /** For each token, the share of the places that agree on it. */
  shares: number[];
}

/**
 * Texts that were written before, the newest of them, in which what follows the last few tokens of another is looked up. It takes
 * 384 KiB. Looking up is a part of every step, so nothing is allocated for it but the draft.
 */
export class Said {
  /** The tokens, the oldest overwritten by the newest. Place p lies at p & MASK. */
  readonly #ids = new Int32Array(CAPACITY).fill(BETWEEN);
  /** By place: the place before it that ends with the same context, plus one; 0: none. */
  readonly #previous = new Int32Array(CAPACITY);
  /** By a hash of a context: the last place that ends with it, plus one. */
  readonly #last = new Int32Array(BUCKETS);
  #end = 0;
  /** By the length of the match: the share of drafted tokens that come true where all places agree. */
  readonly #kept = Float64Array.from({ length: LONGEST_MATCH + 1 }, (_, length) => length / (length + 2));
  /** Places whose last tokens are those of the text that is looked up: what follows them, and how much they weigh. */
  readonly #next = new Int32Array(MOST_PLACES);
  readonly #weights = new Float64Array(MOST_PLACES);

  /** Remembers a text. */
  add(ids: ArrayLike<number>): void {
    // Places are int32.
    if (this.#end > 2 ** 30) this.#forget();
    this.#push(BETWEEN);
    for (let i = 0; i < ids.length; i++) this.#push(ids[i]!);
  }

  /**
   * Drafts the tokens that followed the longest match of a text's end, as far as most of the places agree.
   * @param ids the text
   * @param most tokens to draft
   * @param least the least share of the places that agree on a token
   */
  draft(ids: readonly number[], most: number, least: number): Draft {
    let places = this.#find(ids);
    const matched = this.#longest(places);
    const draft: Draft = { ids: [], expected: [], matched, shares: [] };
    let [all, sum] = [1, 0];
    while (draft.ids.length < most && places > 0) {
      const { id, share } = this.#vote(places);
      if (id === BETWEEN || share < least) break;
      // Where few places agreed on what came true nonetheless, the product may be more than certain.
      all *= Math.min(1, share * this.#kept[Math.min(matched + draft.ids.length, LONGEST_MATCH)]!);
      sum += all;
      draft.ids.push(id);
      draft.shares.push(share);
      draft.expected.push(sum);
      places = this.#follow(id, places);
    }
    return draft;
  }

  /** Takes how many of a draft's first `drafted` tokens came true. */
  judge({ matched, shares }: Draft, drafted: number, accepted: number): void {
    for (let i = 0; i < Math.min(accepted + 1, drafted); i++) {
      const length = Math.min(matched + i, LONGEST_MATCH);
      const kept = i < accepted ? 1 / shares[i]! : 0;
      this.#kept[length]! += NEWEST * (kept - this.#kept[length]!);
    }
  }

  /** Finds the places where a text's last tokens were said. Longer matches weigh more. Returns how many there are. */
  #find(ids: readonly number[]): number {
    const end = ids.length;
    if (end < CONTEXT) return 0;
    let found = 0;
    const stored = this.#ids;
    // So far back that nothing in a match's or a draft's reach is overwritten.
    const oldest = Math.max(0, this.#end - CAPACITY + LONGEST_MATCH);
    let place = this.#last[bucketOf(ids[end - 3]!, ids[end - 2]!, ids[end - 1]!)]! - 1;
    const longest = Math.min(LONGEST_MATCH, end);
    for (let seen = 0; seen < MOST_PLACES && place >= oldest; seen++) {
      let length = 0;
      while (length < longest && stored[(place - length) & MASK] === ids[end - 1 - length]) length++;
      if (length >= CONTEXT) {
        this.#next[found] = place + 1;
        this.#weights[found++] = 2 ** length;
      }
      place = this.#previous[place & MASK]! - 1;
    }
    return found;
  }

  /** The length of the longest match. */
  #longest(places: number): number {
    let most = 1;
    for (let i = 0; i < places; i++) most = Math.max(most, this.#weights[i]!);
    return Math.log2(most);
  }

  /** The token that most places go on with. */
  #vote(places: number): { id: number; share: number } {
    let [id, most, total] = [BETWEEN, 0, 0];
    for (let i = 0; i < places; i++) {
      total += this.#weights[i]!;
      const candidate = this.#at(this.#next[i]!);
      if (candidate === BETWEEN || candidate === id) continue;
      let votes = 0;
      for (let j = i; j < places; j++) if (this.#at(this.#next[j]!) === candidate) votes += this.#weights[j]!;
      if (votes > most) [id, most] = [candidate, votes];
    }
    return { id, share: most / total };
  }

  /** Keeps the places that go on with a token, and moves them behind it. Returns how many there are. */
  #follow(id: number, places: number): number {
    let kept = 0;
    for (let i = 0; i < places; i++) {
      if (this.#at(this.#next[i]!) !== id) continue;
      this.#next[kept] = this.#next[i]! + 1;
      this.#weights[kept++] = this.#weights[i]!;
    }
    return kept;
  }

  #push(id: number): void {
    const place = this.#end++;
    this.#ids[place & MASK] = id;
    const [a, b] = [this.#at(place - 2), this.#at(place - 1)];
    if (a === BETWEEN || b === BETWEEN || id === BETWEEN) return;
    const bucket = bucketOf(a, b, id);
    this.#previous[place & MASK] = this.#last[bucket]!;
    this.#last[bucket] = place + 1;
  }

  #forget(): void {
    this.#ids.fill(BETWEEN);
    this.#last.fill(0);
    this.#end = 0;
  }

  #holds(place: number): boolean {
    return place >= 0 && place < this.#end && place > this.#end - CAPACITY;
  }

  #at(place: number): number {
    return this.#holds(place) ? this.#ids[place & MASK]! : BETWEEN;
  }
}

function bucketOf(a: number, b: number, c: number): number {
  const hash = Math.imul(Math.imul(Math.imul(a, 0x9e3779b1) ^ b, 0x85ebca6b) ^ c, 0xc2b2ae35);
  return (hash ^ (hash >>> 15)) & (BUCKETS - 1);
}
