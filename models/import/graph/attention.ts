import { columnsInOrder, outputsInOrder } from "../rearranged.js";
import type { LayerWeights, Sizes } from "../weights.js";
import type { Change, GraphBuilder } from "./builder.js";
import type { AddLinear } from "./linear.js";
import type { AddQkNorm } from "./qk-norm.js";
import type { AddRotation } from "./rotary.js";

export interface AttentionParts {
  graph: GraphBuilder;
  linear: AddLinear;
  sizes: HeadSizes;
  /** Null where positions are learned. */
  rotate: AddRotation | null;
  /** Null without `qk_norm`. */
  qkNorm: AddQkNorm | null;
  /** Whether heads are normalized before they are turned. */
  normsFirst: boolean;
  attend: Attend;
  /**
   * Factors of a layer's heads, multiplied into the weights that make them: float32 [(heads + 2 * kv_heads) * head_dim],
   * queries, keys, values. It scales the queries for attention, which saves an operator in each layer.
   */
  factorsOf: (layer: number) => Float32Array;
}

export type HeadSizes = Pick<Sizes, "heads" | "kvHeads" | "headDim">;

/**
 * Adds the scores, their exponentials and the mix of values.
 * @returns `mixed`: float32 [batch, chunk, heads * head_dim]; `key` and `value`: the new rows of the cache
 */
export type Attend = (layer: number, heads: Heads) => { mixed: string; key: string; value: string };

/**
 * Queries, keys and values of a chunk, float32 [batch, chunk, heads * head_dim] each, the queries in the graph's order: the first
 * query of each group of heads, then the second ones, and so on. What lies side by side stays so until it is split.
 */
export type Heads =
  | { queriesKeysValues: string }
  /** After a rotation or a norm, which values don't go through. */
  | { queriesKeys: string; values: string };

/** The addition to the residual stream, and the new rows of the cache. */
export interface Attended {
  output: string;
  key: string;
  value: string;
}

/**
 * Adds one layer's causal attention.
 * @param input the normalized residual stream: float32 [batch, chunk, width]
 */
export function addAttention(
  { graph, linear, sizes, rotate, qkNorm, normsFirst, attend, factorsOf }: AttentionParts,
  layer: number,
  input: string,
  weights: LayerWeights,
): Attended {
  const { heads, kvHeads, headDim } = sizes;
  const { qkv, proj } = heads === kvHeads ? weights : inGroups(weights, sizes);
  const name = `layers.${layer}`;
  const turning = (heads + kvHeads) * headDim;
  const factors = factorsOf(layer);
  // A norm would undo a factor before it.
  const ofRows = qkNorm === null ? factors : factors.map((factor, row) => (row < turning ? 1 : factor));
  const fused = linear(`${name}.qkv`, input, qkv, rowsBy(ofRows));
  const attended = attend(
    layer,
    rotate === null && qkNorm === null ? { queriesKeysValues: fused } : placed(),
  );
  return { ...attended, output: linear(`${name}.proj`, attended.mixed, proj) };

  function placed(): Heads {
    const [plain, values] = graph.outputs(2, "Split", [fused, graph.shape(turning, kvHeads * headDim)], {
      axis: -1,
    }) as [string, string];
    const norm = (heads: string) =>
      qkNorm?.(`${name}.qk_norm`, heads, weights, factors.subarray(0, turning)) ?? heads;
    const turn = (heads: string) => rotate?.(heads, turning / headDim) ?? heads;
    return { queriesKeys: normsFirst ? turn(norm(plain)) : norm(turn(plain)), values };
  }
}

/** Multiplies the rows of a matrix, or the elements of a vector. */
function rowsBy(factors: Float32Array): Change {
  return (values) => {
    const columns = values.length / factors.length;
    for (let i = 0; i < values.length; i++) values[i]! *= factors[Math.floor(i / columns)]!;
  };
}

/** The factors of float32 attention, which scales its queries. */
export function queriesScaled({ heads, kvHeads, headDim }: HeadSizes): Float32Array {
  const queries = heads * headDim;
  return new Float32Array(queries + 2 * kvHeads * headDim).fill(1).fill(1 / Math.sqrt(headDim), 0, queries);
}

/** The weights with the queries in the graph's order. */
function inGroups(
  { qkv, proj }: LayerWeights,
  { heads, kvHeads, headDim }: HeadSizes,
): Pick<LayerWeights, "qkv" | "proj"> {
  const order = Array.from({ length: heads * headDim }, (_, row) => {
    const place = Math.floor(row / headDim);
    const head = (place % kvHeads) * (heads / kvHeads) + Math.floor(place / kvHeads);
    return head * headDim + (row % headDim);
  });
  const others = Array.from({ length: 2 * kvHeads * headDim }, (_, row) => heads * headDim + row);
  return {
    qkv: outputsInOrder(qkv, [...order, ...others]),
    proj: { ...proj, weight: columnsInOrder(proj.weight, order) },
  };
}
