import type { ModelConfig } from "./config.js";

/** The sizes of a step graph. */
export interface ModelShape {
  layers: number;
  /** Heads of keys and values. */
  kvHeads: number;
  headDim: number;
  /** The context window in tokens: the most that a cache slot can hold. */
  context: number;
  vocabulary: number;
  /** With `int8`, the cache is int8 too. */
  precision: ModelConfig["precision"];
}

export function modelShape({
  n_layer,
  n_kv_head,
  head_dim,
  n_positions,
  vocab_size,
  precision,
}: ModelConfig): ModelShape {
  return {
    layers: n_layer,
    kvHeads: n_kv_head,
    headDim: head_dim,
    context: n_positions,
    vocabulary: vocab_size,
    precision,
  };
}

/** Logits in a block: the step graph outputs the greatest logit of each block. The last block may be smaller. */
export const LOGIT_BLOCK = 32;

/** Level of a query that is 0, in an int8 graph. */
export const ZERO_QUERY = 128;

/**
 * Added to a masked score of an int8 graph: the score's exponential is then exactly 0, and the sum is far from overflow. The scores
 * themselves are less than 2^24 for heads of up to 1024.
 */
export const MASKED_SCORE = -(2 ** 28);

const CAPACITY = "capacity_up_to_";

/** Name of the cache's varying dimension. It includes the context size, which the graph stores nowhere else. */
export function capacityDimension(context: number): string {
  return `${CAPACITY}${context}`;
}

/** The context's size that a dimension's name holds; NaN if it holds none. */
export function contextOf(dimension: string): number {
  return dimension.startsWith(CAPACITY) ? Number(dimension.slice(CAPACITY.length)) : Number.NaN;
}
