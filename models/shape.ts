import type { ModelConfig } from "./config.js";

/** The sizes that a step graph is made for, beside its weights. */
export interface ModelShape {
  layers: number;
  heads: number;
  headDim: number;
  /** The context window in tokens: the most that a cache slot can hold. */
  context: number;
  vocabulary: number;
}

export function modelShape({ n_layer, n_head, n_embd, n_positions, vocab_size }: ModelConfig): ModelShape {
  return {
    layers: n_layer,
    heads: n_head,
    headDim: n_embd / n_head,
    context: n_positions,
    vocabulary: vocab_size,
  };
}

/** The step graph gives the greatest logit of every so many, and of those that are left over. */
export const LOGIT_BLOCK = 32;

const CAPACITY = "capacity_up_to_";

/** The name of the cache's varying dimension, which tells the context: a graph says nothing else of it. */
export function capacityDimension(context: number): string {
  return `${CAPACITY}${context}`;
}

/** The context that a dimension's name tells; NaN where it tells none. */
export function contextOf(dimension: string): number {
  return dimension.startsWith(CAPACITY) ? Number(dimension.slice(CAPACITY.length)) : Number.NaN;
}
