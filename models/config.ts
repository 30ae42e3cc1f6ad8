import { type Architecture, parseArchitecture } from "./architecture.js";
import { ModelError } from "./files/error.js";
import { type Fields, isIntegerIn, shown, unexpected } from "./files/fields.js";

/** Of what `import` writes: 2 has attention in integers, where the model is int8. */
export const GRAPH_VERSION = 2;

/** Most positions of an int8 graph: a mix of their values is an int32 sum of products up to 255 * 64. */
const MOST_INT8_POSITIONS = Math.floor((2 ** 31 - 1) / (255 * 64));

/** The part of a model folder's `config.json` that the server uses, under Hugging Face's names for GPT-2. */
export interface ModelConfig {
  model_type: "jai";
  /** Of the step graph beside it, of which a server knows one. */
  graph_version: typeof GRAPH_VERSION;
  /** The name that `/health` and logs show. */
  name: string;
  vocab_size: number;
  /** The context window, in tokens; with int8 up to `MOST_INT8_POSITIONS`. */
  n_positions: number;
  n_embd: number;
  n_layer: number;
  /** Heads of queries. */
  n_head: number;
  /** Heads of keys and values, each for n_head / n_kv_head heads of queries. Default: as many. */
  n_kv_head: number;
  /** Width of a head. Default: n_embd / n_head. */
  head_dim: number;
  /** Of every norm: added to the variance, or to the mean square. */
  layer_norm_epsilon: number;
  /** Default: GPT-2's block, with an exact GELU. */
  architecture: Architecture;
  precision: "int8" | "fp32";
}

/** The fields of a config.json that is still to be written; those that may be left out have their defaults. */
export type NewConfig = Omit<ModelConfig, "model_type" | "graph_version" | Later> &
  Partial<Pick<ModelConfig, Later>>;
type Later = "n_kv_head" | "head_dim" | "architecture";

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
  if (fields.graph_version !== GRAPH_VERSION)
    throw new ModelError(
      `${file}: expected graph_version ${GRAPH_VERSION}, got ${shown(fields.graph_version)}: another version of jai wrote this folder; import the model again`,
    );
  const { name, layer_norm_epsilon: epsilon, precision } = fields;
  if (typeof name !== "string" || name === "") throw unexpected(file, "name", "a name", name);
  if (typeof epsilon !== "number" || !(epsilon > 0 && epsilon < 1))
    throw unexpected(file, "layer_norm_epsilon", "a number between 0 and 1", epsilon);
  if (precision !== "int8" && precision !== "fp32")
    throw unexpected(file, "precision", '"int8" or "fp32"', precision);
  const positions = positive("n_positions");
  if (precision === "int8" && positions > MOST_INT8_POSITIONS)
    throw new ModelError(
      `${file}: expected up to ${MOST_INT8_POSITIONS} for n_positions of an int8 model, whose sums would overflow beyond, got ${positions}; import it with --precision fp32`,
    );
  const [width, layers, heads] = [positive("n_embd"), positive("n_layer"), positive("n_head")];
  const kvHeads = fields.n_kv_head === undefined ? heads : positive("n_kv_head");
  if (heads % kvHeads !== 0) throw unexpected(file, "n_kv_head", `a divisor of n_head (${heads})`, kvHeads);
  if (fields.head_dim === undefined && width % heads !== 0)
    throw unexpected(file, "n_head", `a divisor of n_embd (${width})`, heads);
  const headDim = fields.head_dim === undefined ? width / heads : positive("head_dim");
  return {
    model_type: "jai",
    graph_version: GRAPH_VERSION,
    name,
    vocab_size: positive("vocab_size"),
    n_positions: positions,
    n_embd: width,
    n_layer: layers,
    n_head: heads,
    n_kv_head: kvHeads,
    head_dim: headDim,
    layer_norm_epsilon: epsilon,
    architecture: parseArchitecture(fields.architecture, layers, headDim),
    precision,
  };
}
