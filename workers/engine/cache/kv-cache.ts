import {
  type CacheArray,
  type CacheShape,
  type NewRows,
  numbersFor,
  type Plane,
  planes,
  write,
  writeBias,
} from "./plane.js";

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

/**
 * Blocks of a single number for each position are exchanged at once, with what lies between their rows, if that is fewer numbers
 * than this for each block: a call costs as much. Over the blocks of a long context it would be gigabytes.
 */
const MOST_BETWEEN = 2048;

/**
 * Positions of an int8 past that holds nothing; all are masked. The runtime's product of integers over an empty past is what its
 * memory held before, perhaps another request's numbers.
 */
const MASKED_POSITIONS = 16;

/**
 * The keys and values of all sequences, in arrays of our own that the runtime reads without a copy.
 *
 * Each layer has one K and one V array, and with int8 one of biases, each a `Plane`. The first `packed` slots, those that decode, lie there
 * densely, as [packed, blocks, capacity, unit]: the sequences of one run must lie next to each other, so that they are one
 * `subarray`. `capacity` is shared by them and follows the longest, so that short ones don't pay for the window.
 *
 * The others are loose: free, or a prompt of which only a part is there. Each keeps its rows at its place for the full
 * window, [slot, blocks, context, unit], where the slots before it can't reach them whatever their capacity. So a
 * prompt widens nobody's capacity before it decodes: that would copy all packed rows, and slow each of their steps.
 */
export class KvCache {
  readonly shape: CacheShape;
  readonly slots: number;
  /** Tokens that each slot holds, int32 [slots]. */
  readonly lengths: Int32Array;
  readonly #planes: readonly Plane[];
  readonly #step: number;
  /** Positions that a packed slot has room for at least. */
  readonly #least: number;
  /** Positions of a loose slot's place. */
  readonly #widest: number;
  /** Copies of loose slots for a run; as large as the largest run so far. */
  #scratch: CacheArray[] = [];
  /** By part of a layer, as large as the largest exchange so far. */
  readonly #spares: CacheArray[] = [];
  #capacity: number;
  #packed = 0;
  #touched = 0;

  constructor(shape: CacheShape, slots: number) {
    const { context } = shape;
    this.shape = shape;
    this.slots = slots;
    this.lengths = new Int32Array(slots);
    this.#step = Math.ceil(context / CAPACITIES / CAPACITY_UNIT) * CAPACITY_UNIT;
    this.#widest = roundUp(context, this.#step);
    this.#least = Math.min(FIRST_CAPACITIES * this.#step, this.#widest);
    this.#capacity = this.#least;
    this.#planes = planes(shape, slots, this.#widest);
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
   * The past of a run over `count` slots from `first` on, all packed or all loose: the planes of every layer in turn,
   * [count, blocks, capacity, unit], valid until the cache changes. Afterwards each slot has room for `tokens` positions. The
   * first chunk of a prompt has an empty past, which saves its attention.
   */
  past(first: number, count: number, tokens: number): { capacity: number; arrays: CacheArray[] } {
    const packed = first < this.#packed;
    if (packed) this.reserve(tokens);
    const view = (capacity: number) => ({ capacity, arrays: this.views(first, count, capacity) });
    const longest = Math.max(...this.lengths.subarray(first, first + count));
    const isInt8 = this.shape.precision === "int8";
    if (longest === 0 && !isInt8) return view(0);
    if (packed) return view(this.#capacity);
    if (longest === 0) return this.#gathered(first, count, MASKED_POSITIONS);
    const capacity = roundUp(longest, this.#step);
    if (capacity > this.#widest / 2 || count * capacity > SCRATCH_WINDOWS * this.#widest)
      return view(this.#widest);
    return this.#gathered(first, count, capacity);
  }

  /** The arrays' part for `count` slots from `first` on, if each has `capacity` positions there. */
  views(first: number, count: number, capacity: number): CacheArray[] {
    return this.#planes.map(({ array, blocks, unit }) => {
      const stride = blocks * capacity * unit;
      return array.subarray(first * stride, (first + count) * stride);
    });
  }

  /**
   * Adds a run's new rows to the slots from `first` on.
   * @param counts how many of a slot's `chunk` rows are tokens; the rest is padding
   */
  append(first: number, counts: readonly number[], chunk: number, { keys, values }: NewRows): void {
    const { lengths, shape } = this;
    const end = first + counts.length;
    const packed = first < this.#packed;
    if (end > (packed ? this.#packed : this.slots))
      throw new Error(`expected slots of one kind, got ${first} to ${end} where ${this.#packed} are packed`);
    const target = { first, counts, lengths, capacity: packed ? this.#capacity : this.#widest };
    const parts = this.#planes.length / shape.layers;
    for (const [i, plane] of this.#planes.entries()) {
      const layer = Math.floor(i / parts);
      if (plane.part === "bias") writeBias(plane, keys, layer, chunk, shape.headDim, target);
      else write(plane, plane.part === "keys" ? keys : values, layer, chunk, target);
    }
    for (let i = 0; i < counts.length; i++) lengths[first + i]! += counts[i]!;
  }

  /** Extends a loose slot to the first `rows` of another slot, which begins with the same rows. */
  extend(to: number, from: number, rows: number): void {
    const length = this.lengths[to]!;
    this.#eachBlock(from, to, ({ array, unit }, source, target) =>
      array.copyWithin(target + length * unit, source + length * unit, source + rows * unit),
    );
    this.lengths[to] = rows;
  }

  /** Exchanges two slots, both packed or both loose. */
  swap(a: number, b: number): void {
    if (a === b) return;
    const lengthA = this.lengths[a]!;
    const lengthB = this.lengths[b]!;
    const longer = Math.max(lengthA, lengthB);
    const capacity = this.#capacityOf(a);
    const areClose = capacity - longer < MOST_BETWEEN;
    const parts = this.#planes.length / this.shape.layers;
    for (const [index, plane] of this.#planes.entries()) {
      const { array, blocks, unit, rest } = plane;
      const whole = blocks * capacity * unit;
      const isAtOnce = unit === 1 && areClose;
      const size = isAtOnce ? whole : capacity * unit;
      const rows = (length: number) => (isAtOnce ? whole : unit * (rest === null ? length : longer));
      const [rowsA, rowsB] = [rows(lengthA), rows(lengthB)];
      const spare = this.#spareOf(index % parts, plane, Math.max(rowsA, rowsB));
      for (let at = 0; at < whole; at += size) {
        const [inA, inB] = [a * whole + at, b * whole + at];
        spare.set(array.subarray(inA, inA + rowsA));
        array.copyWithin(inA, inB, inB + rowsB);
        array.set(spare.subarray(0, rowsA), inB);
      }
    }
    this.lengths[a] = lengthB;
    this.lengths[b] = lengthA;
  }

  /** Forgets all but a slot's first `rows`. */
  truncate(slot: number, rows: number): void {
    const length = this.lengths[slot]!;
    if (rows >= length) return;
    const capacity = this.#capacityOf(slot);
    for (const { array, blocks, unit, rest } of this.#planes) {
      if (rest === null) continue;
      for (let block = slot * blocks; block < (slot + 1) * blocks; block++)
        array.fill(rest, (block * capacity + rows) * unit, (block * capacity + length) * unit);
    }
    this.lengths[slot] = rows;
  }

  #eachBlock(a: number, b: number, visit: (plane: Plane, inA: number, inB: number) => void): void {
    const [capacityA, capacityB] = [this.#capacityOf(a), this.#capacityOf(b)];
    for (const plane of this.#planes) {
      const { blocks, unit } = plane;
      for (let block = 0; block < blocks; block++)
        visit(plane, (a * blocks + block) * capacityA * unit, (b * blocks + block) * capacityB * unit);
    }
  }

  #capacityOf(slot: number): number {
    return slot < this.#packed ? this.#capacity : this.#widest;
  }

  /** Room for what is exchanged, of a plane's type. */
  #spareOf(index: number, { part }: Plane, size: number): CacheArray {
    const known = this.#spares[index];
    if (known && known.length >= size) return known;
    const spare = numbersFor(part, this.shape.precision, size);
    this.#spares[index] = spare;
    return spare;
  }

  /** Copies of loose slots, close together. */
  #gathered(first: number, count: number, capacity: number): { capacity: number; arrays: CacheArray[] } {
    const arrays = this.#planes.map((plane, index) => {
      const { array, blocks, unit, rest } = plane;
      const scratch = this.#scratchOf(index, plane, count * blocks * capacity * unit);
      for (let i = 0; i < count * blocks; i++) {
        const source = (first * blocks + i) * this.#widest * unit;
        const length = this.lengths[first + Math.floor(i / blocks)]! * unit;
        const target = i * capacity * unit;
        if (length > 0) scratch.set(array.subarray(source, source + length), target);
        if (rest !== null) scratch.fill(rest, target + length, target + capacity * unit);
      }
      return scratch;
    });
    return { capacity, arrays };
  }

  #scratchOf(index: number, { part }: Plane, size: number): CacheArray {
    if ((this.#scratch[index]?.length ?? 0) < size)
      this.#scratch[index] = numbersFor(part, this.shape.precision, size);
    return this.#scratch[index]!.subarray(0, size);
  }

  /**
   * Moves the slots from `first` to `end` from one capacity to another, in place. To a larger one, blocks move from
   * the last to the first; to a smaller one, from the first to the last.
   */
  #lay(first: number, end: number, from: number, to: number): void {
    if (from === to) return;
    for (const { array, blocks, unit, rest } of this.#planes) {
      const count = (end - first) * blocks;
      for (let i = 0; i < count; i++) {
        const block = first * blocks + (to > from ? count - 1 - i : i);
        const length = this.lengths[Math.floor(block / blocks)]! * unit;
        const [source, target] = [block * from * unit, block * to * unit];
        if (length > 0) array.copyWithin(target, source, source + length);
        if (rest !== null) array.fill(rest, target + length, target + to * unit);
      }
    }
  }

  /**
   * Makes the system back a slot's place with memory before the slot is first used. Left to the first growth of a wide
   * batch, that takes twice as long as the copying, and all sequences wait for it.
   */
  #touch(slot: number): void {
    if (slot < this.#touched) return;
    for (const { array, blocks, unit, rest } of this.#planes) {
      const place = blocks * this.#widest * unit;
      array.fill(rest ?? 0, slot * place, (slot + 1) * place);
    }
    this.#touched = slot + 1;
  }
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
