import type { Attend, HeadSizes, Heads } from "./attention.js";
import type { GraphBuilder } from "./builder.js";

export interface FloatAttentionParts {
  graph: GraphBuilder;
  sizes: HeadSizes;
  /** The result of `addMask`, for a layer: float32. */
  maskOf: (layer: number) => string;
  /** The result of `addScoreLengths`. */
  scoreLengths: string;
}

/**
 * Attention in float32. It scores the past and the chunk separately and joins the scores instead of the keys, so that the cache
 * is not copied. New rows of the cache: float32 [1, batch, kv_heads, chunk, head_dim].
 *
 * Queries that share keys lie on the first axis, over which the keys are broadcast: [group, batch, kv_heads, chunk, head_dim].
 * With one head of keys they are rows of one product: [1, batch, 1, group * chunk, head_dim]. The runtime makes one product of the
 * leading axes where the keys have one head and one sequence, and sums it in another order than a larger batch.
 */
export function floatAttention({ graph, sizes, maskOf, scoreLengths }: FloatAttentionParts): Attend {
  const { heads, kvHeads, headDim } = sizes;
  const group = heads / kvHeads;
  const isOneHead = kvHeads === 1 && group > 1;
  /** [parts, batch, kv_heads, chunk, head_dim] */
  const byHead = (values: string, parts: number) =>
    graph.node("Transpose", [graph.node("Reshape", [values, graph.shape(0, 0, parts, kvHeads, headDim)])], {
      perm: [2, 0, 3, 1, 4],
    });
  const split = (values: string, ...parts: number[]) =>
    graph.outputs(parts.length, "Split", [values, graph.shape(...parts)], { axis: 0 });
  const separate = (parts: Heads): Triple => {
    if ("queriesKeysValues" in parts)
      return split(byHead(parts.queriesKeysValues, group + 2), group, 1, 1) as Triple;
    const [query, key] = split(byHead(parts.queriesKeys, group + 1), group, 1) as Pair;
    return [query, key, byHead(parts.values, 1)];
  };

  return (layer, parts) => {
    let [query, key, value] = separate(parts);
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
    return { mixed: merged, key, value };
  };
}

/** [group, batch, 1, chunk, head_dim] -> [1, batch, 1, group * chunk, head_dim] */
function inRows(graph: GraphBuilder, query: string, headDim: number): string {
  const besideEachOther = graph.node("Transpose", [query], { perm: [2, 1, 0, 3, 4] });
  return graph.node("Reshape", [besideEachOther, graph.shape(0, 0, 1, -1, headDim)]);
}

type Pair = [string, string];
type Triple = [string, string, string];
