const BUCKETS = 1024;

/**
 * Finds up to which key one has to take weighted keys, in rising order, to gather a given weight. It doesn't sort:
 * keys go into buckets, and those of the bucket where the weight is reached into finer buckets, until all are equal.
 */
export class MassCut {
  readonly #keys: Float64Array;
  readonly #weights: Float64Array;
  readonly #masses = new Float64Array(BUCKETS);
  #count = 0;

  /** @param size the most keys */
  constructor(size: number) {
    this.#keys = new Float64Array(size);
    this.#weights = new Float64Array(size);
  }

  clear(): void {
    this.#count = 0;
  }

  /** A key without weight changes nothing. */
  add(key: number, weight: number): void {
    if (weight === 0) return;
    this.#keys[this.#count] = key;
    this.#weights[this.#count++] = weight;
  }

  /** The least of the keys such that all up to it weigh `target`; the greatest, if all together weigh less. */
  find(target: number): number {
    for (let missing = target; ; ) {
      const [least, greatest] = this.#range();
      const scale = (BUCKETS - 1) / (greatest - least);
      const last = bucketOf(greatest, least, scale);
      if (last === 0) return greatest;
      this.#weigh(least, scale);
      let chosen = 0;
      while (chosen < last && this.#masses[chosen]! < missing) missing -= this.#masses[chosen++]!;
      // The least key lies in another bucket than the greatest, so that each round has fewer.
      this.#keep(chosen, least, scale);
    }
  }

  #range(): [least: number, greatest: number] {
    const keys = this.#keys;
    const count = this.#count;
    let least = Number.POSITIVE_INFINITY;
    let greatest = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < count; i++) {
      const key = keys[i]!;
      if (key < least) least = key;
      if (key > greatest) greatest = key;
    }
    return [least, greatest];
  }

  #weigh(least: number, scale: number): void {
    const keys = this.#keys;
    const weights = this.#weights;
    const masses = this.#masses;
    const count = this.#count;
    masses.fill(0);
    for (let i = 0; i < count; i++) masses[bucketOf(keys[i]!, least, scale)]! += weights[i]!;
  }

  #keep(bucket: number, least: number, scale: number): void {
    const keys = this.#keys;
    const weights = this.#weights;
    const count = this.#count;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      if (bucketOf(keys[i]!, least, scale) !== bucket) continue;
      keys[kept] = keys[i]!;
      weights[kept++] = weights[i]!;
    }
    this.#count = kept;
  }
}

/** 0 for every key if all are equal. */
function bucketOf(key: number, least: number, scale: number): number {
  return ((key - least) * scale) | 0;
}
