import { outputsInOrder, rowsInOrder } from "../import/rearranged.js";
import type { LayerWeights, Linear, ModelWeights, Norm, Sizes, WeightSource } from "../import/weights.js";
import { rotaryFrequencies } from "../rotary-angles.js";
import type { GgufArchitecture } from "./architecture.js";
import { BLOCK, type GgufTensor, type GgufType } from "./gguf.js";

/**
 * A model's weights under llama.cpp's names, in the order that its architecture expects.
 * @param type of matrices; what has one dimension, and learned positions, stay in float32
 * @param tied whether the output head is the token table, which is then written once
 */
export function ggufTensors(
  weights: ModelWeights,
  architecture: GgufArchitecture,
  type: GgufType,
  tied: boolean,
): GgufTensor[] {
  const add = new TensorList(type);
  const { rotary } = weights.architecture;
  add.matrix("token_embd.weight", weights.tokens);
  if (weights.positions) add.plain("position_embd.weight", weights.positions);
  if (rotary?.scaling?.type === "llama3") {
    const plain = rotaryFrequencies({ ...rotary, scaling: null });
    const factors = rotaryFrequencies(rotary).map((frequency, i) => plain[i]! / frequency);
    add.plain("rope_freqs.weight", { name: "", shape: [factors.length], read: async () => factors });
  }
  const writeLayer = architecture === "gpt2" || architecture === "gptneox" ? fusedLayer : splitLayer;
  for (const [index, layer] of weights.layers.entries())
    writeLayer(add, `blk.${index}`, layer, weights.sizes, architecture);
  norm(add, "output_norm", weights.finalNorm, weights.sizes, architecture);
  if (!tied) add.matrix("output.weight", weights.head.weight);
  return add.tensors;
}

/** Collects tensors. */
class TensorList {
  readonly tensors: GgufTensor[] = [];
  readonly #type: GgufType;

  constructor(type: GgufType) {
    this.#type = type;
  }

  /** Rows that Q8_0 can't hold become float16, as in `llama-quantize`. */
  matrix(name: string, source: WeightSource): void {
    const { shape } = source;
    const type = this.#type === "q8_0" && shape.at(-1)! % BLOCK !== 0 ? "f16" : this.#type;
    this.tensors.push({ name, type, shape, read: () => source.read() });
  }

  plain(name: string, source: WeightSource): void {
    this.tensors.push({ name, type: "f32", shape: source.shape, read: () => source.read() });
  }

  /** A vector that llama.cpp expects even where the model has none. */
  vector(name: string, source: WeightSource | null, size: number, otherwise: number): void {
    this.plain(
      name,
      source ?? { name, shape: [size], read: async () => new Float32Array(size).fill(otherwise) },
    );
  }
}

type WriteLayer = (
  add: TensorList,
  name: string,
  layer: LayerWeights,
  sizes: Sizes,
  architecture: GgufArchitecture,
) => void;

/** Tensors of GPT-2 and GPT-NeoX: queries, keys and values in one matrix, and biases everywhere. */
const fusedLayer: WriteLayer = (add, name, layer, sizes, architecture) => {
  const linear = (part: string, { weight, bias }: Linear) => {
    add.matrix(`${name}.${part}.weight`, weight);
    add.vector(`${name}.${part}.bias`, bias, weight.shape[0]!, 0);
  };
  norm(add, `${name}.attn_norm`, layer.ln1, sizes, architecture);
  linear("attn_qkv", layer.qkv);
  linear("attn_output", layer.proj);
  norm(add, `${name}.ffn_norm`, layer.ln2, sizes, architecture);
  linear("ffn_up", layer.fc);
  linear("ffn_down", layer.mlpProj);
};

/** Tensors of Llama and Qwen: a matrix for each of queries, keys and values, and a gate. */
const splitLayer: WriteLayer = (add, name, layer, sizes, architecture) => {
  const { heads, kvHeads, headDim, hidden } = sizes;
  const linear = (part: string, { weight, bias }: Linear) => {
    add.matrix(`${name}.${part}.weight`, weight);
    if (bias) add.plain(`${name}.${part}.bias`, bias);
  };
  const [rows, keys] = [heads * headDim, kvHeads * headDim];
  // llama.cpp's Llama turns values that lie side by side, as Meta's does; the others turn halves.
  const turned = (layer: Linear, count: number) =>
    architecture === "llama" ? outputsInOrder(layer, besidePairs(count, headDim)) : layer;
  norm(add, `${name}.attn_norm`, layer.ln1, sizes, architecture);
  linear("attn_q", turned(slice(layer.qkv, 0, rows), heads));
  linear("attn_k", turned(slice(layer.qkv, rows, keys), kvHeads));
  linear("attn_v", slice(layer.qkv, rows + keys, keys));
  if (architecture === "qwen3") {
    add.vector(`${name}.attn_q_norm.weight`, layer.qNorm?.weight ?? null, headDim, 1);
    add.vector(`${name}.attn_k_norm.weight`, layer.kNorm?.weight ?? null, headDim, 1);
  }
  linear("attn_output", layer.proj);
  norm(add, `${name}.ffn_norm`, layer.ln2, sizes, architecture);
  linear("ffn_gate", slice(layer.fc, 0, hidden));
  linear("ffn_up", slice(layer.fc, hidden, hidden));
  linear("ffn_down", layer.mlpProj);
};

function norm(
  add: TensorList,
  name: string,
  { weight, bias }: Norm,
  { width }: Sizes,
  architecture: GgufArchitecture,
): void {
  add.vector(`${name}.weight`, weight, width, 1);
  if (architecture === "gpt2" || architecture === "gptneox") add.vector(`${name}.bias`, bias, width, 0);
}

/** Some of a layer's outputs. */
function slice({ weight, bias }: Linear, first: number, count: number): Linear {
  const rows = Array.from({ length: count }, (_, row) => first + row);
  return { weight: rowsInOrder(weight, rows), bias: bias && rowsInOrder(bias, rows) };
}

/** Rows of heads whose pairs lie half a head apart, as rows whose pairs lie side by side. */
function besidePairs(heads: number, headDim: number): number[] {
  return Array.from({ length: heads * headDim }, (_, row) => {
    const [head, i] = [Math.floor(row / headDim), row % headDim];
    return head * headDim + Math.floor(i / 2) + (i % 2) * (headDim / 2);
  });
}
