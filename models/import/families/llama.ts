import { type Architecture, GPT } from "../../architecture.js";
import { stackedLinear } from "../rearranged.js";
import type { LayerWeights, Sizes } from "../weights.js";
import type { Family, Read, Source } from "./family.js";
import { headSizes } from "./heads.js";
import { readRotary } from "./rotary.js";
import type { Settings } from "./settings.js";
import { LIMITS, type TensorReader } from "./tensor-reader.js";

/** minimind's defaults: its checkpoints hold tensors alone. */
const MINIMIND = { epsilon: 1e-6, theta: 1e6, context: 32_768 };
/** The default of Qwen2's `max_window_layers`. */
const FIRST_WINDOWED = 28;
/** By `model_type`: Granite, SmolLM3, StableLM and others name their tensors alike, and compute something else. */
const TYPES = { llama: true, mistral: true, qwen2: true, qwen3: true, minimind: true } as const;

/**
 * Hugging Face's Llama, Qwen2 and Qwen3, and minimind, which names its tensors as they do.
 * https://github.com/huggingface/transformers/blob/main/src/transformers/models/llama/modeling_llama.py
 */
export const llama: Family = {
  name: "Llama, Qwen2 and Qwen3 of Hugging Face, and minimind",
  promptStart: "sentencepiece",
  is: ({ tensors }) => tensors.has("model.layers.0.mlp.gate_proj.weight"),
  read: (source) => {
    const { tensors, settings } = source;
    settings?.oneOf("model_type", TYPES, "llama");
    const sizes = sizesOf(source);
    const tokens = tensors.take("model.embed_tokens.weight", sizes.vocab, sizes.width);
    const layers = Array.from({ length: sizes.layers }, (_, index) => layerOf(tensors, index, sizes));
    return {
      ...{ sizes, tokens, layers, positions: null },
      architecture: architectureOf(source, sizes, layers),
      epsilon: settings?.number("rms_norm_eps") ?? MINIMIND.epsilon,
      finalNorm: tensors.norm("model.norm", sizes.width),
      ...tensors.head("lm_head", tokens),
      ...(settings === null && {
        assumed: [
          `context ${MINIMIND.context}`,
          `rope_theta ${MINIMIND.theta}`,
          `rms_norm_eps ${MINIMIND.epsilon}`,
        ],
      }),
    } satisfies Read;
  },
};

function sizesOf(source: Source): Sizes {
  const { tensors, settings } = source;
  const [vocab, width] = tensors.matrix("model.embed_tokens.weight", LIMITS.vocab, LIMITS.width);
  const [hidden] = tensors.matrix("model.layers.0.mlp.gate_proj.weight", LIMITS.hidden, LIMITS.width);
  const attention = "model.layers.0.self_attn";
  const [queries] = tensors.matrix(`${attention}.q_proj.weight`, LIMITS.width, LIMITS.width);
  const [keys] = tensors.matrix(`${attention}.k_proj.weight`, LIMITS.width, LIMITS.width);
  const headDim = tensors.sizeOf(`${attention}.q_norm.weight`);
  return {
    ...{ vocab, width, hidden },
    context: settings?.size("max_position_embeddings") ?? MINIMIND.context,
    layers: tensors.layers("model.layers."),
    ...headSizes(source, { queries, keys, headDim, key: "num_attention_heads", widthKey: "head_dim" }),
  };
}

function layerOf(tensors: TensorReader, index: number, sizes: Sizes): LayerWeights {
  const { heads, kvHeads, headDim, width, hidden } = sizes;
  const name = `model.layers.${index}`;
  const attention = `${name}.self_attn`;
  const linear = (part: string, outputs: number, inputs = width) =>
    tensors.linear(`${name}.${part}`, outputs, inputs);
  const norm = (part: string) =>
    tensors.hasInEach(`${attention}.${part}.weight`) ? tensors.norm(`${attention}.${part}`, headDim) : null;
  tensors.drop(`${attention}.rotary_emb.inv_freq`);
  return {
    ln1: tensors.norm(`${name}.input_layernorm`, width),
    qkv: stackedLinear([
      linear("self_attn.q_proj", heads * headDim),
      linear("self_attn.k_proj", kvHeads * headDim),
      linear("self_attn.v_proj", kvHeads * headDim),
    ]),
    ...{ qNorm: norm("q_norm"), kNorm: norm("k_norm") },
    proj: linear("self_attn.o_proj", width, heads * headDim),
    ln2: tensors.norm(`${name}.post_attention_layernorm`, width),
    fc: stackedLinear([linear("mlp.gate_proj", hidden), linear("mlp.up_proj", hidden)]),
    mlpProj: linear("mlp.down_proj", width, hidden),
  };
}

function architectureOf(
  { settings }: Source,
  { headDim, layers }: Sizes,
  [first]: LayerWeights[],
): Architecture {
  const qk_norm = first!.qNorm === null ? null : "before_rotation";
  const rotary = settings
    ? readRotary(settings, headDim, 1)
    : { dim: headDim, theta: MINIMIND.theta, scaling: null, precision: "float32" as const };
  settings?.oneOf("hidden_act", { silu: true }, "silu");
  const sliding_window = settings && windowsOf(settings, layers);
  return { ...GPT, norm: "rmsnorm", rotary, activation: "silu", gated_mlp: true, qk_norm, sliding_window };
}

/** Mistral has its window in every layer; Qwen2 and Qwen3 in the layers that are named, if it is switched on. */
function windowsOf(settings: Settings, layers: number): Architecture["sliding_window"] {
  const isMistral = settings.text("model_type", "") === "mistral";
  if (!settings.has("sliding_window") || !settings.flag("use_sliding_window", isMistral)) return null;
  const window = settings.size("sliding_window");
  if (settings.has("layer_types")) {
    const kinds = settings.texts("layer_types", ["full_attention", "sliding_attention"], layers);
    return kinds.map((kind) => (kind === "sliding_attention" ? window : null));
  }
  const first = isMistral ? 0 : settings.count("max_window_layers", FIRST_WINDOWED);
  return Array.from({ length: layers }, (_, layer) => (layer < first ? null : window));
}
