import { columnsInOrder, outputsInOrder } from "../rearranged.js";
import type { LayerWeights, Sizes } from "../weights.js";
import type { GraphBuilder } from "./builder.js";
import type { AddLinear } from "./linear.js";
import type { AddQkNorm } from "./qk-norm.js";
import type { AddRotation } from "./rotary.js";

export interface AttentionParts {
  graph: GraphBuilder;
  linear: AddLinear;
  sizes: Pick<Sizes, "heads" | "kvHeads" | "headDim">;
  /** Null where positions are learned. */
  rotate: AddRotation | null;
  /** Null without `qk_norm`. */
  qkNorm: AddQkNorm | null;
  /** Whether heads are normalized before they are turned. */
  normsFirst: boolean;
  /** The result of `addMask`, for a layer. */
  maskOf: (layer: number) => string;
  /** The result of `addScoreLengths`. */
  scoreLengths: string;
}

/** The addition to the residual stream, and the new rows of the cache. */
export interface Attended {
  output: string;
  key: string;
  value: string;
}

/**
 * Adds one layer's causal attention. It scores the past and the chunk separately and joins the scores instead of the keys, so
 * that the cache is not copied.
 *
 * Queries that share keys lie on the first axis, over which the keys are broadcast: [group, batch, kv_heads, chunk, head_dim].
 * With one head of keys they are rows of one product: [1, batch, 1, group * chunk, head_dim]. The runtime makes one product of the
 * leading axes where the keys have one head and one sequence, and sums it in another order than a larger batch.
 * @param input the normalized residual stream: float32 [batch, chunk, width]
 */
export function addAttention(
  { graph, linear, sizes, rotate, qkNorm, normsFirst, maskOf, scoreLengths }: AttentionParts,
  layer: number,
  input: string,
  weights: LayerWeights,
): Attended {
  const { heads, kvHeads, headDim } = sizes;
  const group = heads / kvHeads;
  const { qkv, proj } = group === 1 ? weights : inGroups(weights, sizes);
  const name = `layers.${layer}`;
  // Scaling the queries' weights instead of the scores saves an operator in each layer. A norm would undo it.
  const scaleQueries = (values: Float32Array) => {
    const end = (values.length * heads) / (heads + 2 * kvHeads);
    for (let i = 0; i < end; i++) values[i]! *= 1 / Math.sqrt(headDim);
  };
  const fused = linear(`${name}.qkv`, input, qkv, qkNorm === null ? scaleQueries : undefined);
  /** [parts, batch, kv_heads, chunk, head_dim] */
  const byHead = (values: string, parts: number) =>
    graph.node("Transpose", [graph.node("Reshape", [values, graph.shape(0, 0, parts, kvHeads, headDim)])], {
      perm: [2, 0, 3, 1, 4],
    });
  const split = (values: string, axis: number, ...sizes: number[]) =>
    graph.outputs(sizes.length, "Split", [values, graph.shape(...sizes)], { axis });
  let query: string;
  let key: string;
  let value: string;
  if (rotate === null && qkNorm === null) {
    [query, key, value] = split(byHead(fused, group + 2), 0, group, 1, 1) as Triple;
  } else {
    const turning = (group + 1) * kvHeads;
    const [plain, values] = split(fused, -1, turning * headDim, kvHeads * headDim) as Pair;
    const norm = (heads: string) => qkNorm?.(`${name}.qk_norm`, heads, weights) ?? heads;
    const turn = (heads: string) => rotate?.(heads, turning) ?? heads;
    const placed = normsFirst ? turn(norm(plain)) : norm(turn(plain));
    [query, key] = split(byHead(placed, group + 1), 0, group, 1) as Pair;
    value = byHead(values, 1);
  }

  const isOneHead = kvHeads === 1 && group > 1;
  if (isOneHead) query = inRows(graph, query, headDim);
  const scores = (keys: string) => graph.node("FusedMatMul", [query, keys], { transB: 1 }, "com.microsoft");
  const joined = graph.node("Concat", [scores(`past_k.${layer}`), scores(key)], { axis: -1 });
  const masked = graph.node("Add", [joined, maskOf(layer)]);
  const probabilities = graph.node("Softmax", [masked], { axis: -1 });
  const [ofPast, ofChunk] = graph.outputs(2, "Split", [probabilities, scoreLengths], { axis: -1 }) as Pair;
  let mixed = graph.node("Add", [
    graph.node("MatMul", [ofPast, `past_v.${layer}`]),
    graph.node("MatMul", [ofChunk, value]),
  ]);
  if (isOneHead) mixed = graph.node("Reshape", [mixed, graph.shape(0, 0, group, -1, headDim)]);
  const merged = graph.node("Reshape", [
    graph.node("Transpose", [mixed], { perm: [1, 3, 0, 2, 4] }),
    graph.shape(0, 0, heads * headDim),
  ]);
  return { output: linear(`${name}.proj`, merged, proj), key, value };
}

/** [group, batch, 1, chunk, head_dim] -> [1, batch, 1, group * chunk, head_dim] */
function inRows(graph: GraphBuilder, query: string, headDim: number): string {
  const besideEachOther = graph.node("Transpose", [query], { perm: [2, 1, 0, 3, 4] });
  return graph.node("Reshape", [besideEachOther, graph.shape(0, 0, 1, -1, headDim)]);
}

/** The weights with the queries in the graph's order: the first query of each group of heads, then the second ones, and so on. */
function inGroups(
  { qkv, proj }: LayerWeights,
  { heads, kvHeads, headDim }: AttentionParts["sizes"],
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

type Pair = [string, string];
type Triple = [string, string, string];
