import type { ModelConfig } from "../../config.js";
import { capacityDimension, LOGIT_BLOCK, type ModelShape, modelShape } from "../../shape.js";
import type { GptWeights } from "../checkpoint/weights.js";
import { addAttention } from "./attention.js";
import { GraphBuilder } from "./builder.js";
import { addEmbedding, addPositions } from "./embedding.js";
import { addExtent } from "./extent.js";
import { addHead } from "./head.js";
import { type AddLinear, floatLinear, observedLinear, quantizedLinear } from "./linear.js";
import { addMask, addScoreLengths } from "./mask.js";
import { addMlp } from "./mlp.js";
import { layerNorm } from "./norm.js";
import type { Model, ValueInfo } from "./onnx.js";
import type { Range } from "./quantize.js";

const OPSET = 20;

/**
 * Builds the step graph of a GPT with learned positions, pre-LayerNorm, fused QKV, causal attention, exact GELU and a
 * final LayerNorm. One run feeds `chunk` new tokens to each of `batch` sequences.
 *
 * Inputs: `input_ids` int32 [batch, chunk]; `past_lengths` int32 [batch], tokens that each sequence's cache holds;
 * `last_rows` int32 [rows], the rows of the flattened [batch * chunk] that go through the output head, usually each
 * sequence's last; `past_k.N`, `past_v.N` float32 [batch, heads, capacity, head_dim], of which the first
 * `past_lengths` positions count.
 * Outputs: `logits` float32 [rows, vocabulary]; `maxima` float32 [rows, 1, vocabulary / LOGIT_BLOCK rounded up], the
 * greatest logit of each block, which tell the sampler where not to look; `present` float32 [2 * layers, batch, heads,
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
  weights: GptWeights,
  config: ModelConfig,
  inputRanges: readonly Range[] = [],
): Model {
  const graph = new GraphBuilder();
  const linear = config.precision === "int8" ? quantizedLinear(graph, inputRanges) : floatLinear(graph);
  addLayers(graph, linear, weights, config);
  return modelOf(graph, config);
}

/**
 * The same graph in float32 with one more output: `ranges` float32 [products, 2], the least and the greatest number that
 * each matrix product's input held in this run.
 */
export function buildObservedGraph(weights: GptWeights, config: ModelConfig): Model {
  const graph = new GraphBuilder();
  const ranges: string[] = [];
  addLayers(graph, observedLinear(graph, ranges), weights, config);
  graph.output("ranges", "Concat", ranges, { axis: 0 });
  return modelOf(graph, { ...config, precision: "fp32" }, [
    { name: "ranges", type: "float32", dims: [ranges.length, 2] },
  ]);
}

function addLayers(graph: GraphBuilder, linear: AddLinear, weights: GptWeights, config: ModelConfig): void {
  const shape = modelShape(config);
  const norm = layerNorm(graph, config.layer_norm_epsilon);
  const extent = addExtent(graph);
  const positions = addPositions(graph, extent, shape.context);
  const mask = addMask(graph, extent);
  const parts = { graph, linear, shape, mask, scoreLengths: addScoreLengths(graph, extent) };
  let hidden = addEmbedding(graph, weights, positions);
  const rows: string[] = [];
  for (const [index, layer] of weights.layers.entries()) {
    const attended = addAttention(parts, index, norm(`layers.${index}.ln1`, hidden, layer.ln1), layer);
    rows.push(attended.key, attended.value);
    hidden = graph.node("Add", [hidden, attended.output]);
    const inner = addMlp(graph, linear, index, norm(`layers.${index}.ln2`, hidden, layer.ln2), layer);
    hidden = graph.node("Add", [hidden, inner]);
  }
  graph.output("present", "Concat", rows, { axis: 0 });
  addHead(graph, linear, norm, hidden, weights);
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

function inputsOf({ layers, heads, headDim, context }: ModelShape): ValueInfo[] {
  const past = Array.from({ length: layers }, (_, layer) => [`past_k.${layer}`, `past_v.${layer}`]).flat();
  return [
    { name: "input_ids", type: "int32", dims: ["batch", "chunk"] },
    { name: "past_lengths", type: "int32", dims: ["batch"] },
    { name: "last_rows", type: "int32", dims: ["rows"] },
    ...past.map(
      (name): ValueInfo => ({
        name,
        type: "float32",
        dims: ["batch", heads, capacityDimension(context), headDim],
      }),
    ),
  ];
}

function outputsOf({ layers, heads, headDim, vocabulary }: ModelShape): ValueInfo[] {
  return [
    { name: "logits", type: "float32", dims: ["rows", vocabulary] },
    { name: "maxima", type: "float32", dims: ["rows", 1, Math.ceil(vocabulary / LOGIT_BLOCK)] },
    { name: "present", type: "float32", dims: [2 * layers, "batch", heads, "chunk", headDim] },
  ];
}
