/** The shape of a model's cache. */
export interface CacheShape {
  layers: number;
  heads: number;
  headDim: number;
  /** The context window in tokens: the most that a slot can hold. */
  context: number;
}

/** Capacities are multiples of this: a vector register of float32, so that a sum over a slot's padding changes no bit. */
const CAPACITY_UNIT = 16;
/** The window is cut into so many capacities: a growth copies the whole cache, so few; padding costs time, so several. */
const CAPACITIES = 4;

/** Smallest row, in floats, that `TypedArray.set` copies faster than a loop: below it the call costs more than the copy. */
const SET_MINIMUM = 256;

/**
 * The keys and values of all running sequences, in arrays of our own that the runtime reads without a copy.
 *
 * Each layer has one K and one V array of shape [slots, heads, capacity, head_dim]. The sequences of one run must lie
 * next to each other, so that they are one `subarray`; whoever uses the cache keeps them so with `move` and `swap`.
 * `capacity` is shared by all slots and follows the longest sequence, so that short ones don't pay for the window.
 */
export class KvCache {
  readonly shape: CacheShape;
  readonly slots: number;
  /** Tokens that each slot holds, int32 [slots]. */
  readonly lengths: Int32Array;
  /** K and V of each layer in turn, float32. */
  readonly #arrays: Float32Array[];
  readonly #step: number;
  readonly #spare: Float32Array;
  #capacity: number;

  constructor(shape: CacheShape, slots: number) {
    const { layers, heads, headDim, context } = shape;
    this.shape = shape;
    this.slots = slots;
    this.lengths = new Int32Array(slots);
    this.#step = Math.ceil(context / CAPACITIES / CAPACITY_UNIT) * CAPACITY_UNIT;
    this.#capacity = this.#step;
    const size = slots * heads * roundUp(context, this.#step) * headDim;
    this.#arrays = Array.from({ length: 2 * layers }, () => new Float32Array(size));
    this.#spare = new Float32Array(context * headDim);
  }

  /** Positions that each slot has room for now. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Makes room for `tokens` positions in every slot, or narrows the slots to what the longest of them needs. */
  reserve(tokens: number): void {
    const needed = roundUp(Math.max(tokens, 1, ...this.lengths), this.#step);
    // Shrinking at once would copy the cache back and forth while sequences of two lengths come and go.
    if (needed > this.#capacity || needed <= this.#capacity / 2) this.#resize(needed);
  }

  /** K and V of every layer in turn for `count` slots from `first` on: float32 [count, heads, capacity, head_dim]. */
  views(first: number, count: number, capacity: number): Float32Array[] {
    const stride = this.shape.heads * capacity * this.shape.headDim;
    return this.#arrays.map((array) => array.subarray(first * stride, (first + count) * stride));
  }

  /**
   * Adds a run's new rows to the slots from `first` on.
   * @param rows float32 [2 * layers, counts.length, heads, chunk, head_dim]
   * @param counts how many of a slot's `chunk` rows are tokens; the rest is padding
   */
  append(first: number, counts: readonly number[], chunk: number, rows: Float32Array): void {
    const { heads, headDim } = this.shape;
    let source = 0;
    for (const array of this.#arrays) {
      for (let i = 0; i < counts.length; i++) {
        const slot = first + i;
        const length = counts[i]! * headDim;
        for (let head = 0; head < heads; head++, source += chunk * headDim) {
          const target = ((slot * heads + head) * this.#capacity + this.lengths[slot]!) * headDim;
          if (length >= SET_MINIMUM) array.set(rows.subarray(source, source + length), target);
          else for (let d = 0; d < length; d++) array[target + d] = rows[source + d]!;
        }
      }
    }
    for (let i = 0; i < counts.length; i++) this.lengths[first + i]! += counts[i]!;
  }

  /** Copies a slot over another. */
  move(from: number, to: number): void {
    if (from === to) return;
    const length = this.lengths[from]! * this.shape.headDim;
    this.#eachBlock(from, to, (array, source, target) => array.copyWithin(target, source, source + length));
    this.lengths[to] = this.lengths[from]!;
  }

  swap(a: number, b: number): void {
    if (a === b) return;
    const length = Math.max(this.lengths[a]!, this.lengths[b]!) * this.shape.headDim;
    this.#eachBlock(a, b, (array, inA, inB) => {
      const spare = this.#spare.subarray(0, length);
      spare.set(array.subarray(inA, inA + length));
      array.copyWithin(inA, inB, inB + length);
      array.set(spare, inB);
    });
    const length0 = this.lengths[a]!;
    this.lengths[a] = this.lengths[b]!;
    this.lengths[b] = length0;
  }

  clear(slot: number): void {
    this.lengths[slot] = 0;
  }

  #eachBlock(a: number, b: number, visit: (array: Float32Array, inA: number, inB: number) => void): void {
    const { heads, headDim } = this.shape;
    const block = this.#capacity * headDim;
    for (const array of this.#arrays) {
      for (let head = 0; head < heads; head++)
        visit(array, (a * heads + head) * block, (b * heads + head) * block);
    }
  }

  /** Lays the blocks of all slots anew, in place: outward moves go from the last block back, inward ones from the first on. */
  #resize(capacity: number): void {
    const { heads, headDim } = this.shape;
    const blocks = this.slots * heads;
    const grows = capacity > this.#capacity;
    for (const array of this.#arrays) {
      for (let i = 0; i < blocks; i++) {
        const block = grows ? blocks - 1 - i : i;
        const length = this.lengths[Math.floor(block / heads)]! * headDim;
        if (length === 0) continue;
        const source = block * this.#capacity * headDim;
        array.copyWithin(block * capacity * headDim, source, source + length);
      }
    }
    this.#capacity = capacity;
  }
}

export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
