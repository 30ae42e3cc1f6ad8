import { MASKED_SCORE, type ModelShape, ZERO_QUERY } from "../../../models/shape.js";

/** The shape of a model's cache. */
export type CacheShape = Omit<ModelShape, "vocabulary">;

/** Numbers of the cache, as the model's precision has them. */
export type CacheArray = Float32Array | Int8Array | Int32Array;

/**
 * One of the cache's arrays, of all slots. A slot lies in it as `blocks`, in each of which its positions follow each other, `unit`
 * numbers for each. Rows of [kv_heads, positions, head_dim] are blocks of a head; columns of [kv_heads, head_dim, positions], as
 * which int8 keys lie, are blocks of a single number for each position.
 */
export interface Plane {
  part: Part;
  blocks: number;
  unit: number;
  array: CacheArray;
  /** The value of a block's positions beyond a slot's rows; null: any. */
  rest: number | null;
}

/**
 * `bias`, of int8 keys alone, is what the graph adds to a position's scores: it takes the queries' zero point off the product with
 * its key, and masks a position that holds no row.
 */
type Part = "keys" | "values" | "bias";

/** A run's new rows, [layers, batch, blocks, chunk, unit] each. */
export interface NewRows {
  keys: CacheArray;
  values: CacheArray;
}

/** The parts of each layer in turn, with room for `slots` of `positions` each. */
export function planes(shape: CacheShape, slots: number, positions: number): Plane[] {
  const { layers, kvHeads, headDim, precision } = shape;
  const isInt8 = precision === "int8";
  const parts: Omit<Plane, "array">[] = [
    {
      part: "keys",
      rest: null,
      ...(isInt8 ? { blocks: kvHeads * headDim, unit: 1 } : { blocks: kvHeads, unit: headDim }),
    },
    { part: "values", rest: null, blocks: kvHeads, unit: headDim },
  ];
  if (isInt8) parts.push({ part: "bias", rest: MASKED_SCORE, blocks: kvHeads, unit: 1 });
  return Array.from({ length: layers }, () =>
    parts.map((part) => {
      const array = numbersFor(part.part, precision, slots * part.blocks * positions * part.unit);
      return { ...part, array: part.rest === null ? array : array.fill(part.rest) };
    }),
  ).flat();
}

/** A new array for a part of the cache. */
export function numbersFor(part: Part, precision: CacheShape["precision"], size: number): CacheArray {
  if (precision === "fp32") return new Float32Array(size);
  return part === "bias" ? new Int32Array(size) : new Int8Array(size);
}

/** Smallest run of numbers that `TypedArray.set` copies faster than a loop: below it the call costs more than the copy. */
const SET_MINIMUM = 256;

/** Where a run's new rows go. */
export interface Target {
  /** The first slot. */
  first: number;
  /** How many of each slot's rows are tokens; the rest is padding. */
  counts: readonly number[];
  /** By slot: the position of its first new row. */
  lengths: Int32Array;
  /** Positions that each slot has room for. */
  capacity: number;
}

/** Writes the new rows of a layer's keys or values. @param rows of all layers */
export function write(
  { array, blocks, unit }: Plane,
  rows: CacheArray,
  layer: number,
  chunk: number,
  { first, counts, lengths, capacity }: Target,
): void {
  const stride = capacity * unit;
  const sourceStride = chunk * unit;
  let source = layer * counts.length * blocks * sourceStride;
  for (let i = 0; i < counts.length; i++) {
    const slot = first + i;
    const length = counts[i]! * unit;
    let target = slot * blocks * stride + lengths[slot]! * unit;
    for (let block = 0; block < blocks; block++, source += sourceStride, target += stride) {
      if (length >= SET_MINIMUM) array.set(rows.subarray(source, source + length), target);
      else for (let at = 0; at < length; at++) array[target + at] = rows[source + at]!;
    }
  }
}

/**
 * Writes the bias of a layer's new keys.
 * @param keys int8 [layers, counts.length, kv_heads, head_dim, chunk]
 */
export function writeBias(
  { array, blocks }: Plane,
  keys: CacheArray,
  layer: number,
  chunk: number,
  headDim: number,
  { first, counts, lengths, capacity }: Target,
): void {
  let source = layer * counts.length * blocks * headDim * chunk;
  for (let i = 0; i < counts.length; i++) {
    const slot = first + i;
    let target = slot * blocks * capacity + lengths[slot]!;
    for (let block = 0; block < blocks; block++, source += headDim * chunk, target += capacity) {
      for (let at = 0; at < counts[i]!; at++) {
        let sum = 0;
        for (let key = source + at; key < source + headDim * chunk; key += chunk) sum += keys[key]!;
        array[target + at] = -ZERO_QUERY * sum;
      }
    }
  }
}
