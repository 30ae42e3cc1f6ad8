import type { ModelConfig } from "../../config.js";
import { capacityDimension, LOGIT_BLOCK, type ModelShape, modelShape } from "../../shape.js";
import type { ModelWeights } from "../weights.js";
import { type AttentionParts, addAttention } from "./attention.js";
import { GraphBuilder } from "./builder.js";
import { addEmbedding, addPositions } from "./embedding.js";
import { addExtent, type Extent } from "./extent.js";
import { addHead } from "./head.js";
import { type AddLinear, floatLinear, type Observed, observedLinear, quantizedLinear } from "./linear.js";
import { addMask, addScoreLengths } from "./mask.js";
import { addMlp } from "./mlp.js";
import { addNorms } from "./norm.js";
import type { Model, ValueInfo } from "./onnx.js";
import { addQkNorm } from "./qk-norm.js";
import type { Range } from "./quantize.js";
import { addRotary } from "./rotary.js";

const OPSET = 20;

/**
 * Builds the step graph of a decoder: layers of a norm, causal attention, a norm and an MLP, as `architecture.ts` describes
 * them. One run feeds `chunk` new tokens to each of `batch` sequences.
 *
 * Inputs: `input_ids` int32 [batch, chunk]; `past_lengths` int32 [batch], tokens that each sequence's cache holds;
 * `last_rows` int32 [rows], the rows of the flattened [batch * chunk] that go through the output head, usually each
 * sequence's last; `past_k.N`, `past_v.N` float32 [batch, kv_heads, capacity, head_dim], of which the first
 * `past_lengths` positions count.
 * Outputs: `logits` float32 [rows, vocabulary]; `maxima` float32 [rows, 1, vocabulary / LOGIT_BLOCK rounded up], the
 * greatest logit of each block, which tell the sampler where not to look; `present` float32 [2 * layers, batch, kv_heads,
 * chunk, head_dim], the new cache rows, K before V in each layer.
 *
 * The cache is only read: onnxruntime-node feeds an input without a copy but copies every output, so the new rows come
 * out alone and the caller writes them into its cache.
 *
 * Every operator works on each row alone, so a sequence's numbers don't depend on its neighbours in the batch.
 *
 * @param inputRanges for `int8`: the range of each matrix product's input, in the order in which the graph computes them.
 * They become constants, because dynamic quantization would add five operators per matmul, and a scale of the whole batch
 * would make a sequence's numbers depend on its neighbours.
 */
export function buildGraph(
  weights: ModelWeights,
  config: ModelConfig,
  inputRanges: readonly Range[] = [],
): Model {
  const graph = new GraphBuilder();
  const linear = config.precision === "int8" ? quantizedLinear(graph, inputRanges) : floatLinear(graph);
  addLayers(graph, linear, weights);
  return modelOf(graph, config);
}

/**
 * The same graph in float32 with one more output: `ranges` float32 [2, columns], the least and the greatest number that
 * each column of the matrix products' inputs held in this run, one product's columns after the other's.
 */
export function buildObservedGraph(weights: ModelWeights, config: ModelConfig): Model {
  const graph = new GraphBuilder();
  const observed: Observed[] = [];
  addLayers(graph, observedLinear(graph, observed), weights);
  const outputs = observed.map(({ output }) => output);
  graph.output("ranges", "Concat", outputs, { axis: 1 });
  return modelOf(graph, { ...config, precision: "fp32" }, [
    { name: "ranges", type: "float32", dims: [2, observed.reduce((sum, { columns }) => sum + columns, 0)] },
  ]);
}

function addLayers(graph: GraphBuilder, linear: AddLinear, weights: ModelWeights): void {
  const { sizes, architecture, epsilon } = weights;
  const { embedding_norm, parallel_residual } = architecture;
  const norm = addNorms(graph, architecture.norm, sizes.width, epsilon);
  const extent = addExtent(graph);
  const positions = addPositions(graph, extent, sizes.context);
  const parts = { graph, linear, architecture, hidden: sizes.hidden };
  const attention = attentionParts(graph, linear, weights, extent, positions);
  let hidden = addEmbedding(graph, weights, positions);
  if (embedding_norm) hidden = norm("embedding_norm", hidden, { weight: null, bias: null });
  const rows: string[] = [];
  for (const [index, layer] of weights.layers.entries()) {
    const name = `layers.${index}`;
    const attended = addAttention(attention, index, norm(`${name}.ln1`, hidden, layer.ln1), layer);
    rows.push(attended.key, attended.value);
    const between = graph.node("Add", [hidden, attended.output]);
    const input = norm(`${name}.ln2`, parallel_residual ? hidden : between, layer.ln2);
    hidden = graph.node("Add", [between, addMlp(parts, index, input, layer)]);
  }
  graph.output("present", "Concat", rows, { axis: 0 });
  addHead(graph, linear, norm, hidden, weights);
}

function attentionParts(
  graph: GraphBuilder,
  linear: AddLinear,
  { sizes, architecture, epsilon }: ModelWeights,
  extent: Extent,
  positions: string,
): AttentionParts {
  const { rotary, qk_norm, sliding_window } = architecture;
  const rows = sizes.kvHeads === 1 ? sizes.heads : 1;
  const masks = new Map<number | null, string>();
  const maskOf = (layer: number) => {
    const window = sliding_window?.[layer] ?? null;
    // The whole context is no window.
    const most = window === null || window >= sizes.context ? null : window;
    if (!masks.has(most)) masks.set(most, addMask(graph, extent, positions, most, rows));
    return masks.get(most)!;
  };
  return {
    ...{ graph, linear, sizes, maskOf },
    rotate: rotary && addRotary(graph, rotary, sizes.context, sizes.headDim, positions),
    qkNorm: qk_norm === null ? null : addQkNorm(graph, sizes, epsilon),
    normsFirst: qk_norm === "before_rotation",
    scoreLengths: addScoreLengths(graph, extent),
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

function inputsOf({ layers, kvHeads, headDim, context }: ModelShape): ValueInfo[] {
  const past = Array.from({ length: layers }, (_, layer) => [`past_k.${layer}`, `past_v.${layer}`]).flat();
  return [
    { name: "input_ids", type: "int32", dims: ["batch", "chunk"] },
    { name: "past_lengths", type: "int32", dims: ["batch"] },
    { name: "last_rows", type: "int32", dims: ["rows"] },
    ...past.map(
      (name): ValueInfo => ({
        name,
        type: "float32",
        dims: ["batch", kvHeads, capacityDimension(context), headDim],
      }),
    ),
  ];
}

function outputsOf({ layers, kvHeads, headDim, vocabulary }: ModelShape): ValueInfo[] {
  return [
    { name: "logits", type: "float32", dims: ["rows", vocabulary] },
    { name: "maxima", type: "float32", dims: ["rows", 1, Math.ceil(vocabulary / LOGIT_BLOCK)] },
    { name: "present", type: "float32", dims: [2 * layers, "batch", kvHeads, "chunk", headDim] },
  ];
}
