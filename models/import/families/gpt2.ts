import { GPT } from "../../architecture.js";
import { transposed } from "../rearranged.js";
import type { LayerWeights, Linear, Sizes } from "../weights.js";
import type { Family, Source } from "./family.js";
import { headSizes } from "./heads.js";
import { LIMITS, type TensorReader } from "./tensor-reader.js";

/** GPT-2's base model has no prefix before its tensors' names. */
const prefixOf = (tensors: TensorReader) => (tensors.has("wte.weight") ? "" : "transformer.");

/**
 * Hugging Face's GPT-2, whose matrices are [in, out] (Conv1D).
 * https://github.com/huggingface/transformers/blob/main/src/transformers/models/gpt2/modeling_gpt2.py
 */
export const gpt2: Family = {
  name: "GPT-2 of Hugging Face",
  is: ({ tensors, settings }) => {
    const fused = tensors.shapeOf(`${prefixOf(tensors)}h.0.attn.c_attn.weight`);
    return fused !== null && (settings?.values.get("model_type") === "gpt2" || fused[1] === 3 * fused[0]!);
  },
  read: (source) => {
    const { tensors, settings } = source;
    const prefix = prefixOf(tensors);
    const sizes = sizesOf(source, prefix);
    const { vocab, width, context, layers } = sizes;
    const tokens = tensors.take(`${prefix}wte.weight`, vocab, width);
    for (const [key, value] of Object.entries({
      scale_attn_weights: true,
      scale_attn_by_inverse_layer_idx: false,
    }))
      settings?.refuse(key, value);
    const activations = {
      gelu_new: "gelu_tanh",
      gelu_pytorch_tanh: "gelu_tanh",
      gelu: "gelu",
      relu: "relu",
    } as const;
    return {
      ...{ sizes, tokens },
      architecture: {
        ...GPT,
        activation: settings?.oneOf("activation_function", activations, "gelu_new") ?? "gelu_tanh",
      },
      epsilon: settings?.number("layer_norm_epsilon", 1e-5) ?? 1e-5,
      positions: tensors.take(`${prefix}wpe.weight`, context, width),
      layers: Array.from({ length: layers }, (_, index) => layerOf(tensors, `${prefix}h.${index}`, sizes)),
      finalNorm: tensors.norm(`${prefix}ln_f`, width),
      ...tensors.head("lm_head", tokens),
    };
  },
};

function sizesOf(source: Source, prefix: string): Sizes {
  const { tensors } = source;
  const [vocab, width] = tensors.matrix(`${prefix}wte.weight`, LIMITS.vocab, LIMITS.width);
  const [context] = tensors.matrix(`${prefix}wpe.weight`, LIMITS.context, LIMITS.width);
  const [, hidden] = tensors.matrix(`${prefix}h.0.mlp.c_fc.weight`, LIMITS.width, LIMITS.hidden);
  return {
    ...{ vocab, width, context, hidden },
    layers: tensors.layers(`${prefix}h.`),
    ...headSizes(source, { queries: width, key: "n_head" }),
  };
}

function layerOf(tensors: TensorReader, name: string, { width, hidden }: Sizes): LayerWeights {
  for (const buffer of ["bias", "masked_bias"]) tensors.drop(`${name}.attn.${buffer}`);
  const conv = (part: string, outputs: number, inputs: number): Linear => ({
    weight: transposed(tensors.take(`${name}.${part}.weight`, inputs, outputs)),
    bias: tensors.takeIfThere(`${name}.${part}.bias`, outputs),
  });
  return {
    ln1: tensors.norm(`${name}.ln_1`, width),
    qkv: conv("attn.c_attn", 3 * width, width),
    ...{ qNorm: null, kNorm: null },
    proj: conv("attn.c_proj", width, width),
    ln2: tensors.norm(`${name}.ln_2`, width),
    fc: conv("mlp.c_fc", hidden, width),
    mlpProj: conv("mlp.c_proj", width, hidden),
  };
}
