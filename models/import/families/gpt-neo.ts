import { GPT } from "../../architecture.js";
import { scaled, stackedLinear } from "../rearranged.js";
import type { LayerWeights, Sizes } from "../weights.js";
import type { Family, Source } from "./family.js";
import { headSizes } from "./heads.js";
import { LIMITS, type TensorReader } from "./tensor-reader.js";

/**
 * Hugging Face's GPT-Neo, such as the TinyStories models.
 * https://github.com/huggingface/transformers/blob/main/src/transformers/models/gpt_neo/modeling_gpt_neo.py
 */
export const gptNeo: Family = {
  name: "GPT-Neo of Hugging Face",
  is: ({ tensors }) => tensors.has("transformer.h.0.attn.attention.q_proj.weight"),
  read: (source) => {
    const { tensors, settings } = source;
    if (settings === null)
      throw tensors.error(
        "expected the config.json of a GPT-Neo beside it, got none: pass the folder that holds both",
      );
    // Transformers writes both; only the list is read here.
    if (settings.has("attention_types") && !settings.has("attention_layers"))
      throw tensors.error(
        `expected attention_layers in ${settings.name}, got attention_types alone; list "global" or "local" for each layer`,
      );
    const sizes = sizesOf(source);
    const { vocab, width, context, layers } = sizes;
    const tokens = tensors.take("transformer.wte.weight", vocab, width);
    const window = settings.size("window_size", 256);
    const kinds = settings.texts("attention_layers", ["global", "local"], layers);
    const activations = { gelu_new: "gelu_tanh", gelu: "gelu", relu: "relu" } as const;
    return {
      ...{ sizes, tokens },
      architecture: {
        ...GPT,
        activation: settings.oneOf("activation_function", activations, "gelu_new"),
        sliding_window: kinds.map((kind) => (kind === "local" ? window : null)),
      },
      epsilon: settings.number("layer_norm_epsilon", 1e-5),
      positions: tensors.take("transformer.wpe.weight", context, width),
      layers: Array.from({ length: layers }, (_, index) => layerOf(tensors, index, sizes)),
      finalNorm: tensors.norm("transformer.ln_f", width),
      ...tensors.head("lm_head", tokens),
    };
  },
};

function sizesOf(source: Source): Sizes {
  const { tensors } = source;
  const [vocab, width] = tensors.matrix("transformer.wte.weight", LIMITS.vocab, LIMITS.width);
  const [context] = tensors.matrix("transformer.wpe.weight", LIMITS.context, LIMITS.width);
  const [hidden] = tensors.matrix("transformer.h.0.mlp.c_fc.weight", LIMITS.hidden, LIMITS.width);
  return {
    ...{ vocab, width, context, hidden },
    layers: tensors.layers("transformer.h."),
    ...headSizes(source, { queries: width, key: "num_heads" }),
  };
}

function layerOf(tensors: TensorReader, index: number, { headDim, width, hidden }: Sizes): LayerWeights {
  const name = `transformer.h.${index}`;
  const attention = `${name}.attn.attention`;
  for (const buffer of ["bias", "masked_bias"]) tensors.drop(`${attention}.${buffer}`);
  const [query, key, value] = ["q_proj", "k_proj", "v_proj"].map((part) =>
    tensors.linear(`${attention}.${part}`, width, width),
  );
  // GPT-Neo doesn't divide scores by the root of the head's width. The graph does, so the queries make up for it.
  const unscaled = { ...query!, weight: scaled(query!.weight, Math.sqrt(headDim)) };
  return {
    ln1: tensors.norm(`${name}.ln_1`, width),
    qkv: stackedLinear([unscaled, key!, value!]),
    ...{ qNorm: null, kNorm: null },
    proj: tensors.linear(`${attention}.out_proj`, width, width),
    ln2: tensors.norm(`${name}.ln_2`, width),
    fc: tensors.linear(`${name}.mlp.c_fc`, hidden, width),
    mlpProj: tensors.linear(`${name}.mlp.c_proj`, width, hidden),
  };
}
