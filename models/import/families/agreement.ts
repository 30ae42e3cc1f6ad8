import { ImportError } from "../checkpoint/error.js";
import type { Sizes } from "../weights.js";
import type { Settings } from "./settings.js";

/** The codebases' names of sizes that the tensors tell. */
const NAMES = {
  layers: ["num_hidden_layers", "num_layers", "n_layers", "n_layer"],
  width: ["hidden_size", "n_embd", "emb_dim", "dim"],
  hidden: ["intermediate_size", "n_inner", "hidden_dim"],
  kvHeads: ["num_key_value_heads", "n_kv_heads", "n_kv_head", "n_query_groups", "n_kv_groups"],
  headDim: ["head_dim", "head_size"],
} as const satisfies Partial<Record<keyof Sizes, readonly string[]>>;

/**
 * Compares settings with the tensors that they are said to be of. Where the two differ, the file beside a checkpoint is another
 * model's, and what it alone tells would be wrong, too.
 * @throws ImportError that names the first setting that differs
 */
export function assertAgree(settings: Settings, sizes: Sizes): void {
  for (const [size, keys] of Object.entries(NAMES) as [keyof typeof NAMES, readonly string[]][])
    for (const key of keys) {
      if (!settings.has(key) || settings.size(key) === sizes[size]) continue;
      throw new ImportError(
        settings.file,
        `expected ${key} in ${settings.name} to be ${sizes[size]}, as the tensors have it, got ${settings.size(key)}; is it another model's?`,
      );
    }
}
