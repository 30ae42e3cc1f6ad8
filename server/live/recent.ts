/**
 * A histogram of the last minute: each second has counts of its own, and those older than a minute are dropped. A value
 * costs one addition, and a percentile a walk over the buckets, however many values there were.
 */
export class Recent {
  readonly #bounds: readonly number[];
  /** By second, a ring. */
  readonly #seconds: Int32Array[];
  readonly #sum: Int32Array;
  /** Number of values, by second and in all. */
  readonly #values: Int32Array;
  #total = 0;
  #now = 0;
  /** Null if they must be computed anew: several ask between two changes. */
  #percentiles: Percentiles | null = null;

  /** @param bounds upper bounds of the buckets, ascending; a last bucket has all that is above */
  constructor(bounds: readonly number[], seconds = 60) {
    this.#bounds = bounds;
    this.#seconds = Array.from({ length: seconds }, () => new Int32Array(bounds.length + 1));
    this.#sum = new Int32Array(bounds.length + 1);
    this.#values = new Int32Array(seconds);
  }

  add(value: number): void {
    this.#count(bucketOf(this.#bounds, value), 1);
  }

  /** @param counts values in each bucket */
  addAll(counts: readonly number[]): void {
    for (const [bucket, count] of counts.entries()) if (count > 0) this.#count(bucket, count);
  }

  /** The next second begins. */
  tick(): void {
    this.#now = (this.#now + 1) % this.#seconds.length;
    // An idle server does nothing here.
    if (this.#values[this.#now] === 0) return;
    this.#total -= this.#values[this.#now]!;
    this.#values[this.#now] = 0;
    this.#percentiles = null;
    const oldest = this.#seconds[this.#now]!;
    for (const [bucket, count] of oldest.entries()) this.#sum[bucket]! -= count;
    oldest.fill(0);
  }

  /** Percentiles of the last minute; null without a value. */
  get percentiles(): Percentiles {
    this.#percentiles ??= {
      p50: this.#at(0.5),
      p90: this.#at(0.9),
      p99: this.#at(0.99),
    };
    return this.#percentiles;
  }

  #count(bucket: number, count: number): void {
    this.#seconds[this.#now]![bucket]! += count;
    this.#sum[bucket]! += count;
    this.#values[this.#now]! += count;
    this.#total += count;
    this.#percentiles = null;
  }

  /** A percentile, as if a bucket's values were spread evenly. */
  #at(share: number): number | null {
    if (this.#total === 0) return null;
    let left = share * this.#total;
    for (const [bucket, count] of this.#sum.entries()) {
      if (left > count || count === 0) {
        left -= count;
        continue;
      }
      const low = this.#bounds[bucket - 1] ?? 0;
      const high = this.#bounds[bucket] ?? low;
      return rounded(low + ((high - low) * left) / count);
    }
    return this.#bounds.at(-1)!;
  }
}

export interface Percentiles {
  p50: number | null;
  p90: number | null;
  p99: number | null;
}

/** Bounds from 0.1 ms to an hour, each a tenth above the one before: a percentile is at most so wrong. */
export const LATENCY_BOUNDS_MS: readonly number[] = Array.from({ length: 184 }, (_, n) => 0.1 * 1.1 ** n);

function bucketOf(bounds: readonly number[], value: number): number {
  let low = 0;
  let high = bounds.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bounds[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** To the hundredth of a millisecond: more would be digits on the wire that the buckets do not know. */
const rounded = (value: number) => Math.round(value * 100) / 100;
