import type { ModelWeights } from "../import/weights.js";
import type { GgufArchitecture } from "./architecture.js";
import type { GgufMetadata, GgufType } from "./gguf.js";

/** llama.cpp's `llama_ftype`. */
const FILE_TYPES: Readonly<Record<GgufType, number>> = { f32: 0, f16: 1, q8_0: 7 };
/** Version of the form in which quantized values are kept. */
const QUANTIZATION_VERSION = 2;

/** A model's sizes, as metadata of a GGUF file. */
export function modelMetadata(
  name: string,
  { sizes, epsilon, architecture }: Pick<ModelWeights, "sizes" | "epsilon" | "architecture">,
  arch: GgufArchitecture,
  type: GgufType,
): GgufMetadata {
  const { rotary, parallel_residual } = architecture;
  const isLayerNorm = architecture.norm === "layernorm";
  const own: Record<string, GgufMetadata[string]> = {
    vocab_size: sizes.vocab,
    context_length: sizes.context,
    embedding_length: sizes.width,
    feed_forward_length: sizes.hidden,
    block_count: sizes.layers,
    "attention.head_count": sizes.heads,
    "attention.head_count_kv": sizes.kvHeads,
    "attention.key_length": sizes.headDim,
    "attention.value_length": sizes.headDim,
    [`attention.layer_norm_${isLayerNorm ? "" : "rms_"}epsilon`]: { float32: epsilon },
    ...(arch === "gptneox" && { use_parallel_residual: parallel_residual }),
    ...(rotary && {
      "rope.dimension_count": rotary.dim,
      "rope.freq_base": { float32: rotary.theta },
      // Llama 3's scaling is a factor for each angle, and a tensor.
      ...(rotary.scaling?.type === "linear" && {
        "rope.scaling.type": "linear",
        "rope.scaling.factor": { float32: rotary.scaling.factor },
      }),
    }),
  };
  return {
    "general.architecture": arch,
    "general.name": name,
    "general.file_type": FILE_TYPES[type],
    "general.quantization_version": QUANTIZATION_VERSION,
    ...Object.fromEntries(Object.entries(own).map(([key, value]) => [`${arch}.${key}`, value])),
  };
}
