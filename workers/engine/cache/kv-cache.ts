import type { ModelShape } from "../../../models/shape.js";

/** The shape of a model's cache. */
export type CacheShape = Omit<ModelShape, "vocabulary">;

/** Capacities are multiples of this: a vector register of float32, so that a sum over a slot's padding changes no bit. */
const CAPACITY_UNIT = 16;
/**
 * The window is divided into this many capacities: few, since each growth copies the rows in use, but several, since
 * each step pays for padding. A batch begins with more than one: it grows fast at first, while its steps are short.
 */
const CAPACITIES = 8;
const FIRST_CAPACITIES = 2;

/**
 * Loose rows are packed for a run by a copy of at most this many full windows. Where few positions of a window are
 * filled, the copy costs far less than attention over all of them.
 */
const SCRATCH_WINDOWS = 4;

/** Smallest row, in floats, that `TypedArray.set` copies faster than a loop: below it the call costs more than the copy. */
const SET_MINIMUM = 256;

/**
 * The keys and values of all sequences, in arrays of our own that the runtime reads without a copy.
 *
 * Each layer has one K and one V array. The first `packed` slots, those that decode, lie there densely, as
 * [packed, kv_heads, capacity, head_dim]: the sequences of one run must lie next to each other, so that they are one
 * `subarray`. `capacity` is shared by them and follows the longest, so that short ones don't pay for the window.
 *
 * The others are loose: free, or a prompt of which only a part is there. Each keeps its rows at its place for the full
 * window, [slot, kv_heads, context, head_dim], where the slots before it can't reach them whatever their capacity. So a
 * prompt widens nobody's capacity before it decodes: that would copy all packed rows, and slow each of their steps.
 */
export class KvCache {
  readonly shape: CacheShape;
  readonly slots: number;
  /** Tokens that each slot holds, int32 [slots]. */
  readonly lengths: Int32Array;
  /** K and V of each layer in turn, float32. */
  readonly #arrays: Float32Array[];
  readonly #step: number;
  /** Positions that a packed slot has room for at least. */
  readonly #least: number;
  /** Positions of a loose slot's place. */
  readonly #widest: number;
  readonly #spare: Float32Array;
  /** Copies of loose slots for a run, laid out like `#arrays`; as large as the largest run so far. */
  #scratch: Float32Array[] = [];
  #capacity: number;
  #packed = 0;
  #touched = 0;

  constructor(shape: CacheShape, slots: number) {
    const { layers, kvHeads, headDim, context } = shape;
    this.shape = shape;
    this.slots = slots;
    this.lengths = new Int32Array(slots);
    this.#step = Math.ceil(context / CAPACITIES / CAPACITY_UNIT) * CAPACITY_UNIT;
    this.#widest = roundUp(context, this.#step);
    this.#least = Math.min(FIRST_CAPACITIES * this.#step, this.#widest);
    this.#capacity = this.#least;
    const size = slots * kvHeads * this.#widest * headDim;
    this.#arrays = Array.from({ length: 2 * layers }, () => new Float32Array(size));
    this.#spare = new Float32Array(context * headDim);
  }

  /** Positions that each packed slot has room for now. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Makes room for `tokens` positions in every packed slot, or narrows them to what the longest of them needs. */
  reserve(tokens: number): void {
    const longest = Math.max(tokens, ...this.lengths.subarray(0, this.#packed));
    const needed = Math.max(this.#least, roundUp(longest, this.#step));
    // Shrinking at once would copy the cache back and forth while sequences of two lengths come and go.
    if (needed > this.#capacity || needed <= this.#capacity / 2) {
      this.#lay(0, this.#packed, this.#capacity, needed);
      this.#capacity = needed;
    }
  }

  /** Prepares a loose slot for another sequence, which continues from the rows that it holds. */
  take(slot: number): void {
    // A slot that holds rows has been written to, if only by a swap.
    if (this.lengths[slot] === 0) this.#touch(slot);
  }

  /** Packs the first loose slot. */
  pack(): void {
    const slot = this.#packed;
    this.reserve(this.lengths[slot]!);
    this.#lay(slot, slot + 1, this.#widest, this.#capacity);
    this.#packed++;
  }

  /** Makes the last packed slot a loose one. */
  unpack(): void {
    const slot = --this.#packed;
    this.#lay(slot, slot + 1, this.#capacity, this.#widest);
  }

  /**
   * The past of a run over `count` slots from `first` on, all packed or all loose: K and V of every layer in turn,
   * float32 [count, kv_heads, capacity, head_dim], valid until the cache changes. Afterwards each slot has room for
   * `tokens` positions. The first chunk of a prompt has an empty past, which saves its attention.
   */
  past(first: number, count: number, tokens: number): { capacity: number; arrays: Float32Array[] } {
    const packed = first < this.#packed;
    if (packed) this.reserve(tokens);
    const view = (capacity: number) => ({ capacity, arrays: this.views(first, count, capacity) });
    const longest = Math.max(...this.lengths.subarray(first, first + count));
    if (longest === 0) return view(0);
    if (packed) return view(this.#capacity);
    const capacity = roundUp(longest, this.#step);
    if (capacity > this.#widest / 2 || count * capacity > SCRATCH_WINDOWS * this.#widest)
      return view(this.#widest);
    return { capacity, arrays: this.#gather(first, count, capacity) };
  }

  /** The arrays' part for `count` slots from `first` on, if each has `capacity` positions there. */
  views(first: number, count: number, capacity: number): Float32Array[] {
    const stride = this.shape.kvHeads * capacity * this.shape.headDim;
    return this.#arrays.map((array) => array.subarray(first * stride, (first + count) * stride));
  }

  /**
   * Adds a run's new rows to the slots from `first` on.
   * @param rows float32 [2 * layers, counts.length, kv_heads, chunk, head_dim]
   * @param counts how many of a slot's `chunk` rows are tokens; the rest is padding
   */
  append(first: number, counts: readonly number[], chunk: number, rows: Float32Array): void {
    const { kvHeads, headDim } = this.shape;
    const end = first + counts.length;
    const packed = first < this.#packed;
    if (end > (packed ? this.#packed : this.slots))
      throw new Error(`expected slots of one kind, got ${first} to ${end} where ${this.#packed} are packed`);
    const capacity = packed ? this.#capacity : this.#widest;
    let source = 0;
    for (const array of this.#arrays) {
      for (let i = 0; i < counts.length; i++) {
        const slot = first + i;
        const length = counts[i]! * headDim;
        for (let head = 0; head < kvHeads; head++, source += chunk * headDim) {
          const target = ((slot * kvHeads + head) * capacity + this.lengths[slot]!) * headDim;
          if (length >= SET_MINIMUM) array.set(rows.subarray(source, source + length), target);
          else for (let d = 0; d < length; d++) array[target + d] = rows[source + d]!;
        }
      }
    }
    for (let i = 0; i < counts.length; i++) this.lengths[first + i]! += counts[i]!;
  }

  /** Extends a loose slot to the first `rows` of another slot, which begins with the same rows. */
  extend(to: number, from: number, rows: number): void {
    const { headDim } = this.shape;
    const first = this.lengths[to]! * headDim;
    const end = rows * headDim;
    this.#eachBlock(from, to, (array, source, target) =>
      array.copyWithin(target + first, source + first, source + end),
    );
    this.lengths[to] = rows;
  }

  /** Exchanges two slots, both packed or both loose. */
  swap(a: number, b: number): void {
    if (a === b) return;
    const { headDim } = this.shape;
    const lengthA = this.lengths[a]!;
    const lengthB = this.lengths[b]!;
    this.#eachBlock(a, b, (array, inA, inB) => {
      const spare = this.#spare.subarray(0, lengthA * headDim);
      spare.set(array.subarray(inA, inA + spare.length));
      array.copyWithin(inA, inB, inB + lengthB * headDim);
      array.set(spare, inB);
    });
    this.lengths[a] = lengthB;
    this.lengths[b] = lengthA;
  }

  /** Forgets all but a slot's first `rows`. */
  truncate(slot: number, rows: number): void {
    this.lengths[slot] = Math.min(this.lengths[slot]!, rows);
  }

  #eachBlock(a: number, b: number, visit: (array: Float32Array, inA: number, inB: number) => void): void {
    const { kvHeads, headDim } = this.shape;
    const blockA = (a < this.#packed ? this.#capacity : this.#widest) * headDim;
    const blockB = (b < this.#packed ? this.#capacity : this.#widest) * headDim;
    for (const array of this.#arrays) {
      for (let head = 0; head < kvHeads; head++)
        visit(array, (a * kvHeads + head) * blockA, (b * kvHeads + head) * blockB);
    }
  }

  #gather(first: number, count: number, capacity: number): Float32Array[] {
    const { kvHeads, headDim } = this.shape;
    const block = capacity * headDim;
    const size = count * kvHeads * block;
    if ((this.#scratch[0]?.length ?? 0) < size)
      this.#scratch = this.#arrays.map(() => new Float32Array(size));
    return this.#arrays.map((array, part) => {
      const scratch = this.#scratch[part]!;
      for (let i = 0; i < count * kvHeads; i++) {
        const source = (first * kvHeads + i) * this.#widest * headDim;
        const length = this.lengths[first + Math.floor(i / kvHeads)]! * headDim;
        scratch.set(array.subarray(source, source + length), i * block);
      }
      return scratch.subarray(0, size);
    });
  }

  /**
   * Moves the slots from `first` to `end` from one capacity to another, in place. To a larger one, blocks move from
   * the last to the first; to a smaller one, from the first to the last.
   */
  #lay(first: number, end: number, from: number, to: number): void {
    if (from === to) return;
    const { kvHeads, headDim } = this.shape;
    const blocks = (end - first) * kvHeads;
    for (const array of this.#arrays) {
      for (let i = 0; i < blocks; i++) {
        const block = first * kvHeads + (to > from ? blocks - 1 - i : i);
        const length = this.lengths[Math.floor(block / kvHeads)]! * headDim;
        if (length === 0) continue;
        const source = block * from * headDim;
        array.copyWithin(block * to * headDim, source, source + length);
      }
    }
  }

  /**
   * Makes the system back a slot's place with memory before the slot is first used. Left to the first growth of a wide
   * batch, that takes twice as long as the copying, and all sequences wait for it.
   */
  #touch(slot: number): void {
    if (slot < this.#touched) return;
    const place = this.shape.kvHeads * this.#widest * this.shape.headDim;
    for (const array of this.#arrays) array.fill(0, slot * place, (slot + 1) * place);
    this.#touched = slot + 1;
  }
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
