import { ModelError } from "../files/error.js";
import type { ModelWeights } from "../import/weights.js";

/** llama.cpp's architectures that compute what some of ours do. */
export type GgufArchitecture = "gpt2" | "gptneox" | "llama" | "qwen2" | "qwen3";

export interface Fit {
  architecture: GgufArchitecture;
  /** Where llama.cpp computes something a little different; empty unless that was allowed. */
  differences: string[];
}

/**
 * The architecture of llama.cpp (https://github.com/ggml-org/llama.cpp/tree/master/src/models) that computes the model.
 * @param approximate whether an architecture that computes nearly the same is good enough
 * @throws ModelError that names each part that llama.cpp computes otherwise
 */
export function fitArchitecture(
  weights: Pick<ModelWeights, "architecture" | "sizes" | "layers" | "head">,
  approximate: boolean,
): Fit {
  const architecture = nearest(weights);
  const strange = [...strangeToAll(weights), ...strangeTo(architecture, weights)];
  if (strange.length > 0)
    throw new ModelError(`expected a model that llama.cpp computes as well, got ${strange.join(", and ")}`);
  const differences = differencesOf(weights);
  if (differences.length > 0 && !approximate)
    throw new ModelError(
      `expected a model that llama.cpp computes exactly, got ${differences.join(", and ")}; --approximate exports it all the same`,
    );
  return { architecture, differences };
}

type Model = Parameters<typeof fitArchitecture>[0];

function nearest({ architecture, layers }: Model): GgufArchitecture {
  if (architecture.norm === "layernorm") return architecture.rotary === null ? "gpt2" : "gptneox";
  if (architecture.qk_norm !== null) return "qwen3";
  const isQwen2 = layers.every(
    ({ qkv, proj, fc, mlpProj }) =>
      qkv.bias !== null && proj.bias === null && fc.bias === null && mlpProj.bias === null,
  );
  // Only llama.cpp's Llama has a factor for each angle.
  return isQwen2 && architecture.rotary?.scaling?.type !== "llama3" ? "qwen2" : "llama";
}

function strangeToAll({ architecture, sizes, head }: Model): string[] {
  const { activation, sliding_window, embedding_norm, final_logit_softcapping } = architecture;
  const strange: string[] = [];
  if (activation === "relu" || activation === "relu2") strange.push(`${activation} as its activation`);
  if (sliding_window?.some((window) => window !== null && window < sizes.context))
    strange.push("windows by layer");
  if (embedding_norm) strange.push("a norm of the embeddings");
  if (final_logit_softcapping !== null) strange.push("a softcap of the logits");
  if (head.bias !== null) strange.push("a bias of the output head");
  return strange;
}

function strangeTo(name: GgufArchitecture, { architecture, sizes, layers }: Model): string[] {
  const { activation, gated_mlp, rotary, qk_norm, parallel_residual } = architecture;
  const isGelu = activation === "gelu" || activation === "gelu_tanh";
  const hasBias = layers.some(({ qkv, proj, fc, mlpProj }) =>
    [qkv, proj, fc, mlpProj].some(({ bias }) => bias !== null),
  );
  const strange: string[] = [];
  const refuse = (when: boolean, piece: string) => when && strange.push(piece);
  if (name === "gpt2" || name === "gptneox") {
    refuse(gated_mlp, "a gated MLP beside LayerNorm");
    refuse(activation === "silu", "SiLU beside LayerNorm");
    refuse(qk_norm !== null, "qk_norm beside LayerNorm");
    refuse(sizes.heads !== sizes.kvHeads, "shared keys beside LayerNorm");
    refuse(sizes.heads * sizes.headDim !== sizes.width, "heads that are together not as wide as the model");
    refuse(parallel_residual && name === "gpt2", "a parallel residual beside learned positions");
    refuse(rotary?.scaling?.type === "llama3", "llama3's rotary scaling beside LayerNorm");
    return strange;
  }
  refuse(rotary === null, "learned positions beside RMSNorm");
  refuse(rotary !== null && rotary.dim !== sizes.headDim, "heads that are turned in part beside RMSNorm");
  refuse(isGelu, "GELU beside RMSNorm");
  refuse(!gated_mlp, "an MLP without a gate beside RMSNorm");
  refuse(parallel_residual, "a parallel residual beside RMSNorm");
  if (name === "qwen3") {
    refuse(qk_norm === "after_rotation", "qk_norm after the rotation");
    refuse(rotary?.scaling?.type === "llama3", "llama3's rotary scaling beside qk_norm");
    refuse(hasBias, "biases beside qk_norm");
  }
  return strange;
}

function differencesOf({ architecture: { activation, rotary } }: Model): string[] {
  return [
    ...(activation === "gelu" ? ["exact GELU, which llama.cpp replaces by its approximation by tanh"] : []),
    ...(rotary?.precision === "bfloat16" ? ["bfloat16 rotary tables, which llama.cpp has in float32"] : []),
  ];
}
