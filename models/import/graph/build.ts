import type { ModelConfig } from "../../config.js";
import { capacityDimension, LOGIT_BLOCK, type ModelShape, modelShape } from "../../shape.js";
import type { HeadSteps } from "../head-steps.js";
import type { ModelWeights, Sizes } from "../weights.js";
import { type Attend, type AttentionParts, addAttention, queriesScaled } from "./attention.js";
import { GraphBuilder } from "./builder.js";
import { addEmbedding, addPositions } from "./embedding.js";
import { addExtent, type Extent } from "./extent.js";
import { floatAttention } from "./float-attention.js";
import { addHead } from "./head.js";
import { integerAttention } from "./integer-attention.js";
import { addIntegerMask } from "./integer-mask.js";
import {
  type AddLinear,
  floatLinear,
  type Observed,
  observe,
  observedLinear,
  quantizedLinear,
} from "./linear.js";
import { addMask, addScoreLengths } from "./mask.js";
import { addMlp } from "./mlp.js";
import { addNorms } from "./norm.js";
import type { Model, ValueInfo } from "./onnx.js";
import { addQkNorm } from "./qk-norm.js";
import type { Range } from "./quantize.js";
import { addRotary } from "./rotary.js";

const OPSET = 20;

/** Ranges and steps of the numbers that the model computes, for an int8 graph. */
export interface Quantization {
  /**
   * The range of each matrix product's input, in the order in which the graph computes them. They become constants, because
   * dynamic quantization would add five operators per matmul, and a scale of the whole batch would make a sequence's numbers
   * depend on its neighbours.
   */
  ranges: readonly Range[];
  /** Of each layer. */
  heads: readonly HeadSteps[];
}

/**
 * Builds the step graph of a decoder: layers of a norm, causal attention, a norm and an MLP, as `architecture.ts` describes
 * them. One run feeds `chunk` new tokens to each of `batch` sequences.
 *
 * Inputs: `input_ids` int32 [batch, chunk]; `past_lengths` int32 [batch], tokens that each sequence's cache holds;
 * `last_rows` int32 [rows], the rows of the flattened [batch * chunk] that go through the output head, usually each
 * sequence's last; `past_k.N`, `past_v.N`, of which the first `past_lengths` positions count.
 * Outputs: `logits` float32 [rows, vocabulary]; `maxima` float32 [rows, 1, vocabulary / LOGIT_BLOCK rounded up], the
 * greatest logit of each block, which tell the sampler where not to look; `present_k`, `present_v`, the new cache rows, one
 * layer's after the other's.
 *
 * The cache is float32 [batch, kv_heads, capacity, head_dim]. With `int8` it is int8, its keys lie as [batch, kv_heads, head_dim,
 * capacity], and `capacity` is at least 1: the runtime's product over nothing is not 0 but what its memory held. New rows have
 * `chunk` in place of `capacity`. `int8` has one more input, `key_bias.N` int32 [batch, kv_heads, 1, capacity], added to each past
 * position's scores: MASKED_SCORE where it holds no row, else -ZERO_QUERY times the sum of its key.
 *
 * The cache is only read: onnxruntime-node feeds an input without a copy but copies every output, so the new rows come
 * out alone and the caller writes them into its cache.
 *
 * Every operator works on each row alone, so a sequence's numbers don't depend on its neighbours in the batch. With `int8` they
 * don't depend on how its tokens are cut into chunks either; see `integerAttention`.
 */
export function buildGraph(weights: ModelWeights, config: ModelConfig, quantization?: Quantization): Model {
  const graph = new GraphBuilder();
  if (config.precision === "fp32") addLayers(graph, weights, floatLinear(graph));
  else if (quantization)
    addLayers(graph, weights, quantizedLinear(graph, quantization.ranges), quantization.heads);
  else throw new Error("expected ranges for an int8 graph, got none");
  return modelOf(graph, config);
}

/**
 * The same graph in float32 with one more output: `ranges` float32 [2, columns], the least and the greatest number that
 * each column of the matrix products' inputs held in this run, one product's columns after the other's, and then those of each
 * layer's heads: its queries, scaled for attention, its keys and its values.
 */
export function buildObservedGraph(weights: ModelWeights, config: ModelConfig): Model {
  const graph = new GraphBuilder();
  const products: Observed[] = [];
  const heads: Observed[] = [];
  addLayers(graph, weights, observedLinear(graph, products), null, heads);
  const observed = [...products, ...heads];
  graph.output(
    "ranges",
    "Concat",
    observed.map(({ output }) => output),
    { axis: 1 },
  );
  return modelOf(graph, { ...config, precision: "fp32" }, [
    { name: "ranges", type: "float32", dims: [2, observed.reduce((sum, { columns }) => sum + columns, 0)] },
  ]);
}

/**
 * @param steps of each layer's heads, for attention in integers; null for attention in float32
 * @param observed gets the heads of each layer
 */
function addLayers(
  graph: GraphBuilder,
  weights: ModelWeights,
  linear: AddLinear,
  steps: readonly HeadSteps[] | null = null,
  observed: Observed[] | null = null,
): void {
  const { sizes, architecture, epsilon } = weights;
  const { embedding_norm, parallel_residual } = architecture;
  const norm = addNorms(graph, architecture.norm, sizes.width, epsilon);
  const extent = addExtent(graph);
  const positions = addPositions(graph, extent, sizes.context);
  const parts = { graph, linear, architecture, hidden: sizes.hidden };
  const { attend, factorsOf } = attending(graph, weights, extent, positions, steps);
  const attention: AttentionParts = {
    ...{ graph, linear, sizes, factorsOf },
    ...rotationParts(graph, weights, positions),
    attend: observed ? watched(graph, sizes, attend, observed) : attend,
  };
  let hidden = addEmbedding(graph, weights, positions);
  if (embedding_norm) hidden = norm("embedding_norm", hidden, { weight: null, bias: null });
  const keys: string[] = [];
  const values: string[] = [];
  for (const [index, layer] of weights.layers.entries()) {
    const name = `layers.${index}`;
    const attended = addAttention(attention, index, norm(`${name}.ln1`, hidden, layer.ln1), layer);
    keys.push(attended.key);
    values.push(attended.value);
    const between = graph.node("Add", [hidden, attended.output]);
    const input = norm(`${name}.ln2`, parallel_residual ? hidden : between, layer.ln2);
    hidden = graph.node("Add", [between, addMlp(parts, index, input, layer)]);
  }
  graph.output("present_k", "Concat", keys, { axis: 0 });
  graph.output("present_v", "Concat", values, { axis: 0 });
  addHead(graph, linear, norm, hidden, weights);
}

function rotationParts(
  graph: GraphBuilder,
  { sizes, architecture: { rotary, qk_norm }, epsilon }: ModelWeights,
  positions: string,
): Pick<AttentionParts, "rotate" | "qkNorm" | "normsFirst"> {
  return {
    rotate: rotary && addRotary(graph, rotary, sizes.context, sizes.headDim, positions),
    qkNorm: qk_norm === null ? null : addQkNorm(graph, sizes, epsilon),
    normsFirst: qk_norm === "before_rotation",
  };
}

function attending(
  graph: GraphBuilder,
  { sizes, architecture }: ModelWeights,
  extent: Extent,
  positions: string,
  steps: readonly HeadSteps[] | null,
): Pick<AttentionParts, "attend" | "factorsOf"> {
  const scoreLengths = addScoreLengths(graph, extent);
  const group = sizes.heads / sizes.kvHeads;
  const byWindow = <Mask>(add: (window: number | null) => Mask) => {
    const masks = new Map<number | null, Mask>();
    return (layer: number): Mask => {
      const window = architecture.sliding_window?.[layer] ?? null;
      // The whole context is no window.
      const most = window === null || window >= sizes.context ? null : window;
      if (!masks.has(most)) masks.set(most, add(most));
      return masks.get(most)!;
    };
  };
  if (steps === null) {
    const factors = queriesScaled(sizes);
    const rows = sizes.kvHeads === 1 ? group : 1;
    const maskOf = byWindow((window) => addMask(graph, extent, positions, window, rows));
    return { attend: floatAttention({ graph, sizes, maskOf, scoreLengths }), factorsOf: () => factors };
  }
  const maskOf = byWindow((window) => addIntegerMask(graph, extent, positions, window, group));
  return {
    attend: integerAttention({ graph, sizes, maskOf, scoreLengths, extent, steps }),
    factorsOf: (layer) => steps[layer]!.factors,
  };
}

/** The same attention, whose heads are observed. */
function watched(
  graph: GraphBuilder,
  { heads, kvHeads, headDim }: Sizes,
  attend: Attend,
  observed: Observed[],
): Attend {
  return (layer, parts) => {
    const joined =
      "queriesKeysValues" in parts
        ? parts.queriesKeysValues
        : graph.node("Concat", [parts.queriesKeys, parts.values], { axis: -1 });
    observed.push(observe(graph, joined, (heads + 2 * kvHeads) * headDim));
    return attend(layer, parts);
  };
}

function modelOf(graph: GraphBuilder, config: ModelConfig, more: readonly ValueInfo[] = []): Model {
  const shape = modelShape(config);
  return {
    nodes: graph.nodes,
    initializers: graph.initializers,
    inputs: inputsOf(shape),
    outputs: [...outputsOf(shape), ...more],
    opset: OPSET,
    metadata: { jai_config: JSON.stringify(config) },
  };
}

function inputsOf(shape: ModelShape): ValueInfo[] {
  const { context, layers } = shape;
  const capacity = capacityDimension(context);
  const { type, keys, values } = cacheOf(shape, capacity);
  const past = Array.from({ length: layers }, (_, layer): ValueInfo[] => [
    { name: `past_k.${layer}`, type, dims: ["batch", ...keys] },
    { name: `past_v.${layer}`, type, dims: ["batch", ...values] },
    ...(type === "int8"
      ? [{ name: `key_bias.${layer}`, type: "int32" as const, dims: ["batch", shape.kvHeads, 1, capacity] }]
      : []),
  ]);
  return [
    { name: "input_ids", type: "int32", dims: ["batch", "chunk"] },
    { name: "past_lengths", type: "int32", dims: ["batch"] },
    { name: "last_rows", type: "int32", dims: ["rows"] },
    ...past.flat(),
  ];
}

function outputsOf(shape: ModelShape): ValueInfo[] {
  const { vocabulary, precision } = shape;
  const { type, keys, values } = cacheOf(shape, "chunk");
  // Of float32, all layers lie on the first axis and the batch on the second.
  const leading = precision === "fp32" ? [shape.layers, "batch"] : ["layers_batch"];
  return [
    { name: "logits", type: "float32", dims: ["rows", vocabulary] },
    { name: "maxima", type: "float32", dims: ["rows", 1, Math.ceil(vocabulary / LOGIT_BLOCK)] },
    { name: "present_k", type, dims: [...leading, ...keys] },
    { name: "present_v", type, dims: [...leading, ...values] },
  ];
}

/** How the cache's `positions` lie for a sequence. */
function cacheOf({ kvHeads, headDim, precision }: ModelShape, positions: string) {
  const rows = [kvHeads, positions, headDim];
  return precision === "int8"
    ? ({ type: "int8", keys: [kvHeads, headDim, positions], values: rows } as const)
    : ({ type: "float32", keys: rows, values: rows } as const);
}
