import { type Fields, isIntegerIn, unexpected } from "./files/fields.js";

/** The angles by which a rotary model turns queries and keys. */
export interface Rotary {
  /** How many of a head's values are turned, in halves: value i goes with value i + dim / 2. Even, at most the head. */
  dim: number;
  /** Base of the angles: the pair i of position p is turned by p / theta^(2i / dim), before scaling. */
  theta: number;
  scaling: RotaryScaling | null;
  /** Precision of the cosines and sines with which the model was trained. */
  precision: "float32" | "bfloat16";
}

/** How the angles of a longer context are made, under Hugging Face's names (`rope_scaling`). */
export type RotaryScaling =
  | { type: "linear"; factor: number }
  | {
      type: "llama3";
      factor: number;
      low_freq_factor: number;
      high_freq_factor: number;
      original_max_position_embeddings: number;
    };

export const ACTIVATIONS = ["gelu", "gelu_tanh", "silu", "relu", "relu2"] as const;

/** `gelu` is exact, `gelu_tanh` its approximation by tanh, `relu2` the square of `relu`. */
export type Activation = (typeof ACTIVATIONS)[number];

/**
 * A model's layers, as switches that don't depend on each other. Biases, and the weights of norms, are no
 * switches: they are there or not.
 */
export interface Architecture {
  /** `rmsnorm` takes no mean away. */
  norm: "layernorm" | "rmsnorm";
  /** Null: positions are learned, and added to the tokens' embeddings. */
  rotary: Rotary | null;
  activation: Activation;
  /** Whether the activation of one projection gates another one. */
  gated_mlp: boolean;
  /** When each head of queries and keys is normalized by an RMSNorm: before or after it is turned; null for never. */
  qk_norm: "before_rotation" | "after_rotation" | null;
  /** Whether attention and MLP read the same input, and are added to it together. */
  parallel_residual: boolean;
  /** By layer: how many positions, its own included, a token attends to; null for all. Null: all in every layer. */
  sliding_window: readonly (number | null)[] | null;
  /** Whether the embeddings are normalized before the first layer. */
  embedding_norm: boolean;
  /** Logits become cap * tanh(logit / cap). */
  final_logit_softcapping: number | null;
}

/** The block of GPT-2 with an exact GELU: that of models whose config.json names no architecture. */
export const GPT: Architecture = Object.freeze({
  norm: "layernorm",
  rotary: null,
  activation: "gelu",
  gated_mlp: false,
  qk_norm: null,
  parallel_residual: false,
  sliding_window: null,
  embedding_norm: false,
  final_logit_softcapping: null,
});

const FILE = "config.json";

/**
 * Reads config.json's `architecture`.
 * @throws ModelError that names the first field that is wrong
 */
export function parseArchitecture(value: unknown, layers: number, headDim: number): Architecture {
  if (value === undefined) return GPT;
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw unexpected(FILE, "architecture", "an object", value);
  const fields = value as Fields;
  const one = <T>(name: keyof Architecture, known: readonly T[]): T => {
    const found = fields[name] as T;
    if (known.includes(found)) return found;
    throw unexpected(
      FILE,
      `architecture.${name}`,
      known.map((item) => JSON.stringify(item)).join(" or "),
      found,
    );
  };
  const flag = (name: keyof Architecture) => one(name, [false, true]);
  return {
    norm: one("norm", ["layernorm", "rmsnorm"] as const),
    rotary: fields.rotary === null ? null : parseRotary(fields.rotary, headDim),
    activation: one("activation", ACTIVATIONS),
    gated_mlp: flag("gated_mlp"),
    qk_norm: one("qk_norm", [null, "before_rotation", "after_rotation"] as const),
    parallel_residual: flag("parallel_residual"),
    sliding_window: parseWindows(fields.sliding_window, layers),
    embedding_norm: flag("embedding_norm"),
    final_logit_softcapping:
      fields.final_logit_softcapping === null
        ? null
        : positive("final_logit_softcapping", fields.final_logit_softcapping),
  };
}

function parseRotary(value: unknown, headDim: number): Rotary {
  const { dim, theta, scaling, precision } = (value ?? {}) as Record<keyof Rotary, unknown>;
  if (!isIntegerIn(dim, 2, headDim) || dim % 2 !== 0)
    throw unexpected(FILE, "architecture.rotary.dim", `an even number from 2 to ${headDim}`, dim);
  if (precision !== "float32" && precision !== "bfloat16")
    throw unexpected(FILE, "architecture.rotary.precision", '"float32" or "bfloat16"', precision);
  return {
    ...{ dim, precision },
    theta: positive("rotary.theta", theta),
    scaling: scaling === null ? null : parseScaling(scaling),
  };
}

function parseScaling(value: unknown): RotaryScaling {
  const fields = (value ?? {}) as Fields;
  const number = (name: string) => positive(`rotary.scaling.${name}`, fields[name]);
  if (fields.type === "linear") return { type: "linear", factor: number("factor") };
  if (fields.type !== "llama3")
    throw unexpected(FILE, "architecture.rotary.scaling.type", '"linear" or "llama3"', fields.type);
  return {
    type: "llama3",
    factor: number("factor"),
    low_freq_factor: number("low_freq_factor"),
    high_freq_factor: number("high_freq_factor"),
    original_max_position_embeddings: number("original_max_position_embeddings"),
  };
}

function parseWindows(value: unknown, layers: number): Architecture["sliding_window"] {
  if (value === null) return null;
  const isWindow = (window: unknown) => window === null || isIntegerIn(window, 1, 2 ** 31 - 1);
  if (Array.isArray(value) && value.length === layers && value.every(isWindow)) return value;
  throw unexpected(
    FILE,
    "architecture.sliding_window",
    `null, or for each of ${layers} layers null or a positive integer`,
    value,
  );
}

function positive(name: string, value: unknown): number {
  if (typeof value === "number" && value > 0 && Number.isFinite(value)) return value;
  throw unexpected(FILE, `architecture.${name}`, "a positive number", value);
}
