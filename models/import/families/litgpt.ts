import { GPT } from "../../architecture.js";
import { stackedLinear } from "../rearranged.js";
import type { LayerWeights, Sizes } from "../weights.js";
import type { Family, Source } from "./family.js";
import { headSizes } from "./heads.js";
import { LIMITS, type TensorReader } from "./tensor-reader.js";

/** litgpt's configs that resemble Llama. https://github.com/Lightning-AI/litgpt/blob/main/litgpt/model.py */
export const litgpt: Family = {
  name: "litgpt",
  is: ({ tensors }) => tensors.has("transformer.h.0.norm_1.weight"),
  read: (source) => {
    const { tensors, settings } = source;
    if (settings === null)
      throw tensors.error(
        "expected litgpt's model_config.yaml beside it, got none: pass the folder that holds both",
      );
    const isGated = tensors.has("transformer.h.0.mlp.fc_1.weight");
    const sizes = sizesOf(source, isGated);
    const { vocab, width, headDim } = sizes;
    for (const [key, value] of Object.entries(UNKNOWN)) settings.refuse(key, value);
    const tokens = tensors.take("transformer.wte.weight", vocab, width);
    const layers = Array.from({ length: sizes.layers }, (_, index) =>
      layerOf(tensors, index, sizes, isGated),
    );
    const dim = 2 * Math.floor((settings.fraction("rotary_percentage", 0.25) * headDim) / 2);
    const rotary = {
      dim,
      theta: settings.number("rope_base", 10_000),
      scaling: null,
      precision: "float32" as const,
    };
    const gelu = settings.text("gelu_approximate", "none") === "tanh" ? "gelu_tanh" : "gelu";
    return {
      ...{ sizes, tokens, layers, positions: null },
      architecture: {
        ...GPT,
        norm: settings.oneOf(
          "norm_class_name",
          { LayerNorm: "layernorm", RMSNorm: "rmsnorm" } as const,
          "LayerNorm",
        ),
        rotary,
        activation: settings.oneOf(
          "mlp_class_name",
          { LLaMAMLP: "silu", GptNeoxMLP: gelu, GemmaMLP: gelu } as const,
          "GptNeoxMLP",
        ),
        gated_mlp: isGated,
        qk_norm: layers[0]!.qNorm === null ? null : "before_rotation",
        parallel_residual: settings.flag("parallel_residual", true),
        final_logit_softcapping: settings.has("final_logit_softcapping")
          ? settings.number("final_logit_softcapping")
          : null,
      },
      epsilon: settings.number("norm_eps", 1e-5),
      finalNorm: tensors.norm("transformer.ln_f", width),
      ...tensors.head("lm_head", tokens),
    };
  },
};

/** Settings of parts that this server does not compute, with their value where the part is missing. */
const UNKNOWN = {
  attention_logit_softcapping: null,
  attention_scores_scalar: null,
  rope_adjustments: null,
  rope_indices: null,
  rope_interleave: false,
  rope_condense_ratio: 1,
  scale_embeddings: false,
  shared_attention_norm: false,
  sliding_window_size: null,
  post_attention_norm: false,
  post_mlp_norm: false,
  latent_attention: null,
  n_expert: 0,
};

function sizesOf(source: Source, isGated: boolean): Sizes {
  const { tensors, settings } = source;
  const [vocab, width] = tensors.matrix("transformer.wte.weight", LIMITS.vocab, LIMITS.width);
  const fc = `transformer.h.0.mlp.${isGated ? "fc_1" : "fc"}.weight`;
  const [hidden] = tensors.matrix(fc, LIMITS.hidden, LIMITS.width);
  const [fused] = tensors.matrix("transformer.h.0.attn.qkv.weight", 3 * LIMITS.width, LIMITS.width);
  const heads = settings!.size("n_head");
  const kvHeads = settings!.size("n_query_groups", heads);
  const headDim = settings!.size("head_size", width / heads);
  const queries = heads * headDim;
  if (fused !== queries + 2 * kvHeads * headDim)
    throw tensors.error(`expected ${queries + 2 * kvHeads * headDim} rows of attn.qkv.weight, got ${fused}`);
  return {
    ...{ vocab, width, hidden },
    context: settings!.size("block_size"),
    layers: tensors.layers("transformer.h."),
    ...headSizes(source, { queries, keys: kvHeads * headDim, key: "n_head" }),
  };
}

function layerOf(tensors: TensorReader, index: number, sizes: Sizes, isGated: boolean): LayerWeights {
  const { heads, kvHeads, headDim, width, hidden } = sizes;
  const name = `transformer.h.${index}`;
  const linear = (part: string, outputs: number, inputs = width) =>
    tensors.linear(`${name}.${part}`, outputs, inputs);
  const qkNorm = (part: string) =>
    tensors.hasInEach(`${name}.attn.${part}.weight`) ? tensors.norm(`${name}.attn.${part}`, headDim) : null;
  return {
    ln1: tensors.norm(`${name}.norm_1`, width),
    qkv: linear("attn.qkv", (heads + 2 * kvHeads) * headDim),
    ...{ qNorm: qkNorm("norm_q"), kNorm: qkNorm("norm_k") },
    proj: linear("attn.proj", width, heads * headDim),
    ln2: tensors.norm(`${name}.norm_2`, width),
    fc: isGated
      ? stackedLinear([linear("mlp.fc_1", hidden), linear("mlp.fc_2", hidden)])
      : linear("mlp.fc", hidden),
    mlpProj: linear("mlp.proj", width, hidden),
  };
}
