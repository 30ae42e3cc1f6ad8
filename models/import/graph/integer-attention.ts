import { ZERO_QUERY } from "../../shape.js";
import type { HeadSteps } from "../head-steps.js";
import type { Attend, HeadSizes, Heads } from "./attention.js";
import type { GraphBuilder } from "./builder.js";
import type { Extent } from "./extent.js";
import type { IntegerMask } from "./integer-mask.js";
import { GREATEST_WEIGHT } from "./quantize.js";

export interface IntegerAttentionParts {
  graph: GraphBuilder;
  sizes: HeadSizes;
  extent: Extent;
  maskOf: (layer: number) => IntegerMask;
  /** The result of `addScoreLengths`. */
  scoreLengths: string;
  /** Of each layer. Weights make queries, keys and values in units of their steps. */
  steps: readonly HeadSteps[];
}

/**
 * Attention whose sums are of integers, so that a row's result is the same bits however the work is cut: any batch, any chunks,
 * any capacity. Queries and exponentials are uint8; keys and values, new rows of the cache, are int8: keys
 * [batch, kv_heads, head_dim, chunk], values [batch, kv_heads, chunk, head_dim].
 *
 * It is exact because:
 * - Keys and values are held to ±64, where no CPU's kernel saturates (see `GREATEST_WEIGHT`). Calibration alone could not promise it.
 * - The greatest score is taken off before an exponential, in integers.
 * - Exponentials are 1/255 of the greatest at the finest. Their sum is of integers too: a sum of floats depends on its order.
 * - A masked score's exponential is exactly 0, whatever the cache holds there.
 *
 * Queries that share keys are rows of one product: [batch, kv_heads, group * chunk, head_dim].
 */
export function integerAttention(parts: IntegerAttentionParts): Attend {
  const { graph, sizes, extent, maskOf, scoreLengths, steps } = parts;
  const inLevels = addLevels(graph, sizes);
  const one = graph.constant("float32", [], 1);
  const zeroQuery = graph.constant("uint8", [], ZERO_QUERY);
  const ones = addOnes(graph, extent);
  /** int32 [batch, kv_heads, …] times a step for each head. */
  const inUnits = (values: string, name: string, ofHeads: Float32Array) => {
    const step = graph.weight(name, "float32", [sizes.kvHeads], async () => ofHeads);
    return graph.node("DequantizeLinear", [values, step], { axis: 1 });
  };

  return (layer, heads) => {
    // No operator reads them: they tell how to take back what the weights of heads were multiplied by.
    graph.weight(
      `layers.${layer}.factors`,
      "float32",
      [steps[layer]!.factors.length],
      async () => steps[layer]!.factors,
    );
    const { query, key, value } = inLevels(heads);
    const mask = maskOf(layer);
    const bias = mask.past ? graph.node("Add", [`key_bias.${layer}`, mask.past]) : `key_bias.${layer}`;
    // Without a zero point the runtime multiplies a single row by the keys where they lie. With one it copies them first.
    const ofPast = graph.node("Add", [graph.node("MatMulInteger", [query, `past_k.${layer}`]), bias]);
    const ofChunk = graph.node("Add", [graph.node("MatMulInteger", [query, key, zeroQuery]), mask.chunk]);
    const scores = graph.node("Concat", [ofPast, ofChunk], { axis: -1 });
    const below = graph.node("Sub", [scores, graph.node("ReduceMax", [scores, graph.shape(-1)])]);
    const shares = graph.node("QuantizeLinear", [
      graph.node("Exp", [inUnits(below, `layers.${layer}.score_steps`, steps[layer]!.scores)]),
      graph.constant("float32", [], 1 / 255),
      graph.constant("uint8", [], 0),
    ]);
    const total = graph.node("MatMulIntegerToFloat", [shares, ones, one, one], {}, "com.microsoft");
    const [sharesOfPast, sharesOfChunk] = graph.outputs(2, "Split", [shares, scoreLengths], {
      axis: -1,
    }) as [string, string];
    const sum = graph.node("Add", [
      graph.node("MatMulInteger", [sharesOfPast, `past_v.${layer}`]),
      graph.node("MatMulInteger", [sharesOfChunk, value]),
    ]);
    const units = inUnits(sum, `layers.${layer}.value_steps`, steps[layer]!.values);
    return { mixed: merged(graph, sizes, graph.node("Div", [units, total])), key, value };
  };
}

/** Adds the queries, the keys and the values as integers, laid out for their products. */
function addLevels(graph: GraphBuilder, { heads, kvHeads, headDim }: HeadSizes) {
  const group = heads / kvHeads;
  const one = graph.constant("float32", [], 1);
  const zeroQuery = graph.constant("uint8", [], ZERO_QUERY);
  const zeroKey = graph.constant("int8", [], 0);
  const ends = [-GREATEST_WEIGHT, GREATEST_WEIGHT].map((end) => graph.constant("int8", [], end));
  const split = (values: string, axis: number, ...parts: number[]) =>
    graph.outputs(parts.length, "Split", [values, graph.shape(...parts)], { axis });
  /** [batch, chunk, count * head_dim] -> [batch, count, chunk, head_dim] */
  const byHead = (values: string, count: number, perm = [0, 2, 1, 3]) =>
    graph.node("Transpose", [graph.node("Reshape", [values, graph.shape(0, 0, count, headDim)])], { perm });
  const unsigned = (queries: string) => graph.node("QuantizeLinear", [queries, one, zeroQuery]);
  const held = (values: string) =>
    graph.node("Clip", [graph.node("QuantizeLinear", [values, one, zeroKey]), ...ends]);
  const inRows = (queries: string) => {
    if (group === 1) return byHead(queries, heads);
    const parts = graph.node("Reshape", [queries, graph.shape(0, 0, group, kvHeads, headDim)]);
    const besideEachOther = graph.node("Transpose", [parts], { perm: [0, 3, 2, 1, 4] });
    return graph.node("Reshape", [besideEachOther, graph.shape(0, kvHeads, -1, headDim)]);
  };
  /** Fewest operators: what is done with all heads is done once. */
  const together = (fused: string) => {
    const [queries, rest] = split(byHead(fused, heads + 2 * kvHeads), 1, heads, 2 * kvHeads) as Pair;
    const [key, value] = split(held(rest), 1, kvHeads, kvHeads) as Pair;
    return { query: unsigned(queries), key: graph.node("Transpose", [key], { perm: [0, 1, 3, 2] }), value };
  };
  const apart = (queries: string, keys: string, values: string) => ({
    query: inRows(unsigned(queries)),
    key: byHead(held(keys), kvHeads, [0, 2, 3, 1]),
    value: byHead(held(values), kvHeads),
  });
  return (parts: Heads) => {
    const [queries, keys] = [heads * headDim, kvHeads * headDim];
    if ("queriesKeys" in parts)
      return apart(...(split(parts.queriesKeys, -1, queries, keys) as Pair), parts.values);
    if (group === 1) return together(parts.queriesKeysValues);
    return apart(...(split(parts.queriesKeysValues, -1, queries, keys, keys) as [string, string, string]));
  };
}

type Pair = [string, string];

/** [batch, kv_heads, group * chunk, head_dim] -> [batch, chunk, heads * head_dim] */
function merged(graph: GraphBuilder, { heads, kvHeads, headDim }: HeadSizes, mixed: string): string {
  const group = heads / kvHeads;
  const parts =
    group === 1 ? mixed : graph.node("Reshape", [mixed, graph.shape(0, kvHeads, group, -1, headDim)]);
  const byRow = graph.node("Transpose", [parts], { perm: group === 1 ? [0, 2, 1, 3] : [0, 3, 2, 1, 4] });
  return graph.node("Reshape", [byRow, graph.shape(0, 0, heads * headDim)]);
}

/** int8 [capacity + chunk, 1], each 1. */
function addOnes(graph: GraphBuilder, { chunk, capacity }: Extent): string {
  const length = graph.node("Reshape", [graph.node("Add", [capacity, chunk]), graph.shape(1)]);
  const size = graph.node("Concat", [length, graph.shape(1)], { axis: 0 });
  return graph.node("Expand", [graph.constant("int8", [], 1), size]);
}
