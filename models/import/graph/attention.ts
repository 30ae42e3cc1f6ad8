import type { ModelShape } from "../../shape.js";
import type { LayerWeights } from "../checkpoint/weights.js";
import type { GraphBuilder } from "./builder.js";
import type { AddLinear } from "./linear.js";

export interface AttentionParts {
  graph: GraphBuilder;
  linear: AddLinear;
  shape: ModelShape;
  /** The result of `addMask`. */
  mask: string;
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
 * @param input the normalized residual stream: float32 [batch, chunk, width]
 */
export function addAttention(
  { graph, linear, shape: { heads, headDim }, mask, scoreLengths }: AttentionParts,
  layer: number,
  input: string,
  { qkv, proj }: LayerWeights,
): Attended {
  // Scaling the queries' weights instead of the scores saves an operator in each layer.
  const scaleQueries = (values: Float32Array) => {
    for (let i = 0; i < values.length / 3; i++) values[i]! *= 1 / Math.sqrt(headDim);
  };
  const fused = linear(`layers.${layer}.qkv`, input, qkv, scaleQueries);
  const byHead = graph.node("Reshape", [fused, graph.shape(0, 0, 3, heads, headDim)]);
  const stacked = graph.node("Transpose", [byHead], { perm: [2, 0, 3, 1, 4] });
  // Each [1, batch, heads, chunk, head_dim].
  const [query, key, value] = graph.outputs(3, "Split", [stacked], { axis: 0, num_outputs: 3 }) as Triple;

  const scores = (keys: string) => graph.node("FusedMatMul", [query, keys], { transB: 1 }, "com.microsoft");
  const joined = graph.node("Concat", [scores(`past_k.${layer}`), scores(key)], { axis: -1 });
  const probabilities = graph.node("Softmax", [graph.node("Add", [joined, mask])], { axis: -1 });
  const [ofPast, ofChunk] = graph.outputs(2, "Split", [probabilities, scoreLengths], { axis: -1 }) as Pair;
  const mixed = graph.node("Add", [
    graph.node("MatMul", [ofPast, `past_v.${layer}`]),
    graph.node("MatMul", [ofChunk, value]),
  ]);
  const merged = graph.node("Reshape", [
    graph.node("Transpose", [mixed], { perm: [1, 3, 0, 2, 4] }),
    graph.shape(0, 0, heads * headDim),
  ]);
  return { output: linear(`layers.${layer}.proj`, merged, proj), key, value };
}

type Pair = [string, string];
type Triple = [string, string, string];
