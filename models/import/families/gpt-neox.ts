import { type Architecture, GPT } from "../../architecture.js";
import { outputsInOrder } from "../rearranged.js";
import type { LayerWeights, Sizes } from "../weights.js";
import type { Family, Source } from "./family.js";
import { headSizes } from "./heads.js";
import { readRotary } from "./rotary.js";
import { LIMITS, type TensorReader } from "./tensor-reader.js";

/**
 * Hugging Face's GPT-NeoX, such as Pythia.
 * https://github.com/huggingface/transformers/blob/main/src/transformers/models/gpt_neox/modeling_gpt_neox.py
 */
export const gptNeox: Family = {
  name: "GPT-NeoX of Hugging Face",
  is: ({ tensors }) => tensors.has("gpt_neox.embed_in.weight"),
  read: (source) => {
    const { tensors, settings } = source;
    const sizes = sizesOf(source);
    const tokens = tensors.take("gpt_neox.embed_in.weight", sizes.vocab, sizes.width);
    return {
      ...{ sizes, tokens, positions: null },
      architecture: architectureOf(source, sizes),
      epsilon: settings?.number("layer_norm_eps", 1e-5) ?? 1e-5,
      layers: Array.from({ length: sizes.layers }, (_, index) => layerOf(tensors, index, sizes)),
      finalNorm: tensors.norm("gpt_neox.final_layer_norm", sizes.width),
      ...tensors.head("embed_out", tokens),
    };
  },
};

function sizesOf(source: Source): Sizes {
  const { tensors, settings } = source;
  if (settings === null)
    throw tensors.error(
      "expected the config.json of a GPT-NeoX beside it, got none: pass the folder that holds both",
    );
  const [vocab, width] = tensors.matrix("gpt_neox.embed_in.weight", LIMITS.vocab, LIMITS.width);
  const [hidden] = tensors.matrix("gpt_neox.layers.0.mlp.dense_h_to_4h.weight", LIMITS.hidden, LIMITS.width);
  return {
    ...{ vocab, width, hidden },
    context: settings.size("max_position_embeddings"),
    layers: tensors.layers("gpt_neox.layers."),
    ...headSizes(source, { queries: width, key: "num_attention_heads" }),
  };
}

function layerOf(
  tensors: TensorReader,
  index: number,
  { heads, headDim, width, hidden }: Sizes,
): LayerWeights {
  const name = `gpt_neox.layers.${index}`;
  for (const buffer of ["bias", "masked_bias", "rotary_emb.inv_freq"])
    tensors.drop(`${name}.attention.${buffer}`);
  const fused = tensors.linear(`${name}.attention.query_key_value`, 3 * width, width);
  // The rows hold the query, key and value of the first head, then those of the second, and so on.
  const order = Array.from({ length: 3 * width }, (_, row) => {
    const [part, at] = [Math.floor(row / width), row % width];
    return (3 * Math.floor(at / headDim) + part) * headDim + (at % headDim);
  });
  return {
    ln1: tensors.norm(`${name}.input_layernorm`, width),
    qkv: outputsInOrder(fused, order),
    ...{ qNorm: null, kNorm: null },
    proj: tensors.linear(`${name}.attention.dense`, width, heads * headDim),
    ln2: tensors.norm(`${name}.post_attention_layernorm`, width),
    fc: tensors.linear(`${name}.mlp.dense_h_to_4h`, hidden, width),
    mlpProj: tensors.linear(`${name}.mlp.dense_4h_to_h`, width, hidden),
  };
}

function architectureOf({ settings }: Source, { headDim }: Sizes): Architecture {
  const rotary = readRotary(settings!, headDim, settings!.fraction("rotary_pct", 0.25));
  return {
    ...GPT,
    rotary: settings!.has("rotary_emb_base")
      ? { ...rotary, theta: settings!.number("rotary_emb_base") }
      : rotary,
    activation: settings!.oneOf(
      "hidden_act",
      { gelu: "gelu", gelu_new: "gelu_tanh", relu: "relu" } as const,
      "gelu",
    ),
    parallel_residual: settings!.flag("use_parallel_residual", true),
  };
}
