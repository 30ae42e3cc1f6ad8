import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openCheckpoint } from "../../../models/import/checkpoint/checkpoint.js";
import { readWeights } from "../../../models/import/families/gpt.js";
import { GraphBuilder } from "../../../models/import/graph/builder.js";
import { type Model, type ValueInfo, writeModel } from "../../../models/import/graph/onnx.js";
import { quantizeRows } from "../../../models/import/graph/quantize.js";
import { transpose } from "../../../models/import/rearranged.js";
import type { Linear, ModelWeights, Norm, WeightSource } from "../../../models/import/weights.js";
import type { Precision } from "../results/results.js";

const OPSET = 20;
const MASKED = -1e30;

/**
 * Writes a checkpoint as a folder that transformers.js loads as a GPT-2. Inputs, outputs and cache are those of Hugging
 * Face's exports, but the head runs only on the last position, which saves most of a prompt's work.
 */
export async function writeTransformersModel(
  checkpoint: string,
  precision: Precision,
  out: string,
): Promise<void> {
  const opened = await openCheckpoint(checkpoint);
  try {
    const weights = await readWeights(opened);
    const { vocab, context, width, layers, heads, hidden } = weights.sizes;
    await mkdir(join(out, "onnx"), { recursive: true });
    await writeModel(join(out, "onnx", "model_quantized.onnx"), buildTransformersGraph(weights, precision));
    const config = {
      model_type: "gpt2",
      architectures: ["GPT2LMHeadModel"],
      vocab_size: vocab,
      n_positions: context,
      n_embd: width,
      n_layer: layers,
      n_head: heads,
      n_inner: hidden,
    };
    await writeFile(join(out, "config.json"), JSON.stringify(config));
  } finally {
    await opened.close();
  }
}

/**
 * input_ids and position_ids [batch, chunk], attention_mask [batch, past + chunk], past_key_values.N.{key,value}
 * [batch, heads, past, head_dim] → logits [batch, 1, vocab], present.N.{key,value} [batch, heads, past + chunk, head_dim].
 */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: in one piece, to compare it with the export
export function buildTransformersGraph(weights: ModelWeights, precision: Precision): Model {
  const { vocab, context, width, heads, layers } = weights.sizes;
  const headDim = width / heads;
  const graph = new GraphBuilder();
  const matrix = (name: string, input: string, weight: WeightSource) =>
    multiply(graph, precision, name, input, weight);
  const vector = (name: string, source: WeightSource) =>
    graph.weight(name, "float32", source.shape, () => source.read());

  const linear = (name: string, input: string, { weight, bias }: Linear) => {
    const product = matrix(name, input, weight);
    return bias === null ? product : graph.node("Add", [product, vector(`${name}.bias`, bias)]);
  };
  const norm = (name: string, input: string, { weight, bias }: Norm) =>
    graph.node(
      "LayerNormalization",
      [input, vector(`${name}.weight`, weight!), ...(bias ? [vector(`${name}.bias`, bias)] : [])],
      { axis: -1, epsilon: { float: 1e-5 } },
    );

  const size = (value: string, axis: number) =>
    graph.node("Gather", [graph.node("Shape", [value]), graph.constant("int64", [], axis)]);
  const past = size("past_key_values.0.key", 2);
  const total = size("attention_mask", 1);
  const one = graph.constant("int64", [], 1);
  const queries = graph.node("Unsqueeze", [graph.node("Range", [past, total, one]), graph.shape(1)]);
  const keys = graph.node("Range", [graph.constant("int64", [], 0), total, one]);
  const allowed = graph.node("And", [
    graph.node("LessOrEqual", [keys, queries]),
    graph.node("Unsqueeze", [graph.node("Cast", ["attention_mask"], { to: 9 }), graph.shape(1, 2)]),
  ]);
  const mask = graph.node("Where", [
    allowed,
    graph.constant("float32", [], 0),
    graph.constant("float32", [], MASKED),
  ]);

  let hidden = graph.node("Add", [
    graph.node("Gather", [vector("tokens", weights.tokens), "input_ids"]),
    graph.node("Gather", [vector("positions", weights.positions!), "position_ids"]),
  ]);
  for (const [layer, { ln1, qkv, proj, ln2, fc, mlpProj }] of weights.layers.entries()) {
    const name = `layers.${layer}`;
    const fused = linear(`${name}.qkv`, norm(`${name}.ln1`, hidden, ln1), qkv);
    const split = graph.node(
      "Transpose",
      [graph.node("Reshape", [fused, graph.shape(0, 0, 3, heads, headDim)])],
      { perm: [2, 0, 3, 1, 4] },
    );
    const [query, key, value] = graph
      .outputs(3, "Split", [split], { axis: 0, num_outputs: 3 })
      .map((part) => graph.node("Squeeze", [part, graph.shape(0)])) as [string, string, string];
    const cached = (kind: string, rows: string) => {
      const present = `present.${layer}.${kind}`;
      graph.output(present, "Concat", [`past_key_values.${layer}.${kind}`, rows], { axis: 2 });
      return present;
    };
    const scores = graph.node(
      "FusedMatMul",
      [query, cached("key", key)],
      { transB: 1, alpha: { float: 1 / Math.sqrt(headDim) } },
      "com.microsoft",
    );
    const probabilities = graph.node("Softmax", [graph.node("Add", [scores, mask])], { axis: -1 });
    const mixed = graph.node("MatMul", [probabilities, cached("value", value)]);
    const merged = graph.node("Reshape", [
      graph.node("Transpose", [mixed], { perm: [0, 2, 1, 3] }),
      graph.shape(0, 0, width),
    ]);
    hidden = graph.node("Add", [hidden, linear(`${name}.proj`, merged, proj)]);
    const inner = graph.node("Gelu", [linear(`${name}.fc`, norm(`${name}.ln2`, hidden, ln2), fc)]);
    hidden = graph.node("Add", [hidden, linear(`${name}.mlp_proj`, inner, mlpProj)]);
  }
  const last = graph.node("Gather", [hidden, graph.constant("int64", [1], -1)], { axis: 1 });
  const logits = matrix("head", norm("final_norm", last, weights.finalNorm), weights.head.weight);
  graph.output("logits", "Identity", [logits]);

  const cache = (prefix: string, length: string): ValueInfo[] =>
    Array.from({ length: layers }, (_, layer) =>
      ["key", "value"].map(
        (kind): ValueInfo => ({
          name: `${prefix}.${layer}.${kind}`,
          type: "float32",
          dims: ["batch_size", heads, length, headDim],
        }),
      ),
    ).flat();
  const ids = (name: string, length: string): ValueInfo => ({
    name,
    type: "int64",
    dims: ["batch_size", length],
  });
  return {
    nodes: graph.nodes,
    initializers: graph.initializers,
    inputs: [
      ids("input_ids", "sequence_length"),
      ids("attention_mask", "total_sequence_length"),
      ids("position_ids", "sequence_length"),
      ...cache("past_key_values", "past_sequence_length"),
    ],
    outputs: [
      { name: "logits", type: "float32", dims: ["batch_size", 1, vocab] },
      ...cache("present", "total_sequence_length"),
    ],
    opset: OPSET,
    metadata: { context: String(context) },
  };
}

/** Adds `input · weightᵀ`, with the weight in PyTorch's layout [out, in]. int8 has one scale per output. */
function multiply(
  graph: GraphBuilder,
  precision: Precision,
  name: string,
  input: string,
  weight: WeightSource,
) {
  const [rows, columns] = weight.shape as [number, number];
  if (precision === "fp32") {
    const values = async () => transpose(await weight.read(), rows, columns);
    return graph.node("MatMul", [input, graph.weight(name, "float32", [columns, rows], values)]);
  }
  const quantized = async () => quantizeRows(await weight.read(), rows, columns);
  const values = graph.weight(name, "int8", [columns, rows], async () => (await quantized()).values);
  const scales = graph.weight(`${name}.scale`, "float32", [rows], async () => (await quantized()).scales);
  return graph.node("DynamicQuantizeMatMul", [input, values, scales], {}, "com.microsoft");
}
