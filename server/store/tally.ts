/** Large records, which a start does not read, have ids from here on. */
export const LARGE_IDS = 2 ** 40;

/** A set's number of rows, and the exclusive or of their hashes: two sets with the same sum are the same, almost surely. */
class Sum {
  rows = 0;
  #one = 0;
  #two = 0;

  change(by: 1 | -1, key: Uint8Array, id: number): void {
    this.rows += by;
    this.#one ^= mixed(0x9e3779b9, key, id);
    this.#two ^= mixed(0x85ebca6b, key, id);
  }

  toString(): string {
    return [this.#one, this.#two].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
  }

  /** The sum that was stored with these rows and this text. */
  static read(rows: number, text: string): Sum {
    const sum = new Sum();
    sum.rows = rows;
    sum.#one = Number.parseInt(text.slice(0, 8), 16) | 0;
    sum.#two = Number.parseInt(text.slice(8), 16) | 0;
    return sum;
  }

  copy(): Sum {
    const copy = new Sum();
    copy.rows = this.rows;
    copy.#one = this.#one;
    copy.#two = this.#two;
    return copy;
  }
}

/**
 * Says what the database should hold: how many rows, with which keys and ids. With it a start can tell that the index names
 * every row and no other, without reading the rows.
 */
export class Tally {
  readonly #all: Sum;
  /** Those that a start reads. */
  readonly #small: Sum;

  constructor(all = new Sum(), small = new Sum()) {
    this.#all = all;
    this.#small = small;
  }

  /** A stored tally; null if it is of an earlier version. */
  static read(stored: string | null): Tally | null {
    if (stored === null || !isComplete(stored)) return null;
    const { rows, digest, small, smallDigest } = JSON.parse(stored);
    return new Tally(Sum.read(rows, digest), Sum.read(small, smallDigest));
  }

  get rows(): number {
    return this.#all.rows;
  }

  add(key: Uint8Array, id: number): void {
    this.addToIndex(key, id);
    if (id < LARGE_IDS) this.addSmall(key, id);
  }

  remove(key: Uint8Array, id: number): void {
    this.#all.change(-1, key, id);
    if (id < LARGE_IDS) this.#small.change(-1, key, id);
  }

  addToIndex(key: Uint8Array, id: number): void {
    this.#all.change(1, key, id);
  }

  addSmall(key: Uint8Array, id: number): void {
    this.#small.change(1, key, id);
  }

  copy(): Tally {
    return new Tally(this.#all.copy(), this.#small.copy());
  }

  /** The stored form. */
  toString(): string {
    const [all, small] = [this.#all, this.#small];
    return JSON.stringify({ rows: all.rows, digest: `${all}`, small: small.rows, smallDigest: `${small}` });
  }

  /** Why the rows that were found are not those that were written, or null. An earlier version stored only their number. */
  differenceFrom(stored: string | null): string | null {
    const told = (stored === null ? { rows: 0 } : JSON.parse(stored)) as { rows: number; digest?: string };
    if (told.rows !== this.rows) return `expected ${told.rows} records, got ${this.rows}`;
    if (!isComplete(stored) || stored === this.toString()) return null;
    return "the records that the file names are not those that were written";
  }
}

/** Whether a stored tally covers keys and ids, not only the number of rows. */
export function isComplete(stored: string | null): boolean {
  return stored?.includes("smallDigest") ?? false;
}

/** 32 bits of a key and an id (the mixing steps of MurmurHash3). */
function mixed(seed: number, key: Uint8Array, id: number): number {
  let hash = seed;
  for (const byte of key) hash = Math.imul(hash ^ byte, 0x01000193);
  for (const part of [id | 0, Math.floor(id / 2 ** 32)]) {
    hash = Math.imul(hash ^ part, 0xcc9e2d51);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
