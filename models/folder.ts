/** The part of a model folder's `config.json` that the server stands on; the names are those of Hugging Face's GPT-2. */
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
