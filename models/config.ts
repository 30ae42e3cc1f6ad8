import { type Fields, isIntegerIn, unexpected } from "./files/fields.js";

/** The part of a model folder's `config.json` that the server uses, under Hugging Face's names for GPT-2. */
export interface ModelConfig {
  model_type: "jai";
  /** The name that `/health` and logs show. */
  name: string;
  vocab_size: number;
  /** The context window, in tokens. */
  n_positions: number;
  n_embd: number;
  n_layer: number;
  n_head: number;
  layer_norm_epsilon: number;
  precision: "int8" | "fp32";
}

/**
 * Reads the fields that are listed here; any other is dropped.
 * @throws ModelError that names the first field that is wrong
 */
export function parseModelConfig(fields: Fields): ModelConfig {
  const file = "config.json";
  const positive = (name: string): number => {
    const value = fields[name];
    if (!isIntegerIn(value, 1, 2 ** 31 - 1)) throw unexpected(file, name, "a positive integer", value);
    return value;
  };
  if (fields.model_type !== "jai") throw unexpected(file, "model_type", '"jai"', fields.model_type);
  const { name, layer_norm_epsilon: epsilon, precision } = fields;
  if (typeof name !== "string" || name === "") throw unexpected(file, "name", "a name", name);
  if (typeof epsilon !== "number" || !(epsilon > 0 && epsilon < 1))
    throw unexpected(file, "layer_norm_epsilon", "a number between 0 and 1", epsilon);
  if (precision !== "int8" && precision !== "fp32")
    throw unexpected(file, "precision", '"int8" or "fp32"', precision);
  const config: ModelConfig = {
    model_type: "jai",
    name,
    vocab_size: positive("vocab_size"),
    n_positions: positive("n_positions"),
    n_embd: positive("n_embd"),
    n_layer: positive("n_layer"),
    n_head: positive("n_head"),
    layer_norm_epsilon: epsilon,
    precision,
  };
  if (config.n_embd % config.n_head !== 0)
    throw unexpected(file, "n_head", `a divisor of n_embd (${config.n_embd})`, config.n_head);
  return config;
}
