import { importCheckpoint as run } from "../../models/import/index.js";
import { shown } from "./internal/shown.js";

/** Options of an import. */
export interface ImportOptions {
  /** Path of the checkpoint, a file of `torch.save` or of safetensors, or of the folder that holds one;
   * or a model on Hugging Face's hub, as `hf:owner/name`, with `@revision` and `/FILE` if need be. */
  checkpoint: string;
  /**
   * The model's tokenizer: `gpt2`, a hub's as above, or a path. A file counts alone, in any format that docs/models.md lists;
   * a folder also brings its chat template and end token. Default: the one beside the checkpoint.
   */
  tokenizer?: string | undefined;
  /** Path of the model folder to make. It must not exist. */
  out: string;
  /** Precision of the weights. Default `int8`, the fastest on a CPU. */
  precision?: "int8" | "fp32" | undefined;
  /** The number of attention heads, for checkpoints that don't contain it. */
  heads?: number | undefined;
  /** The MLP's activation, for checkpoints that don't contain it. */
  activation?: "gelu" | "gelu_tanh" | "silu" | "relu" | "relu2" | undefined;
  /**
   * Path of a file with a Jinja chat template, or the name of one: `jai`, `chatml`, `llama2`, `llama3`, `alpaca` or
   * `nanochat`. Default: the one beside the tokenizer, or JAI's own for its family.
   */
  chatTemplate?: string | undefined;
  /** The model's name. Default: the folder's name. */
  name?: string | undefined;
  /** Called during the import with the finished share of the phase, from 0 to 1; of a download also in bytes. */
  onProgress?:
    | ((phase: ImportPhase, share: number, bytes?: { done: number; total: number }) => void)
    | undefined;
}

/** Phases of an import, in this order. `downloading` is for a hub's models. With `fp32`, only `verifying` and `writing`. */
export type ImportPhase =
  | "downloading"
  | "verifying"
  | "preparing"
  | "calibrating"
  | "writing"
  | "comparing"
  | "checking";

/** How close an int8 model is to its float32 original. */
export interface Quality {
  /** Mean Kullback-Leibler divergence of the next-token distribution from the original's, in nats per token. */
  kl: number;
  /** Share of positions where both rank the same token first, from 0 to 1. */
  sameTop: number;
  /** If `poor`, prefer `fp32`. */
  verdict: "good" | "fair" | "poor";
}

/** Whether a token's logits depend on how its text is cut into chunks and batches. */
export interface Exactness {
  /** Ways in which one text was cut. */
  cuts: number;
  /** Logits that were compared with those of the first way. */
  logits: number;
  /** Those that have other bits. 0, or a server on this machine cuts all prompts alike. */
  differing: number;
}

/** Result of an import. */
export interface ImportResult {
  /** The folder's `config.json`, in the names of Hugging Face's GPT-2. */
  config: {
    name: string;
    vocab_size: number;
    n_positions: number;
    n_embd: number;
    n_layer: number;
    n_head: number;
    n_kv_head: number;
    head_dim: number;
    layer_norm_epsilon: number;
    precision: "int8" | "fp32";
  };
  /** Largest absolute difference between the logits of the checkpoint and of the float32 graph. */
  difference: number;
  /** Range of the checkpoint's logits, to judge `difference` by. */
  range: number;
  /** Quality of the int8 model; null for `fp32`. */
  quality: Quality | null;
  /** Exactness of the int8 model on this machine; null for `fp32`. */
  exactness: Exactness | null;
  /** Defaults of the codebase that were taken because the checkpoint doesn't say, such as `context 32768`. */
  assumed: readonly string[];
  /**
   * Where the chat template is from: `given` by the option, `found` beside the checkpoint, JAI's own for its family
   * (`default`), or `none`.
   */
  chatTemplate: "given" | "found" | "default" | "none";
  /** What looks like a token in the chat template's text and is none of the tokenizer's, so it is read as plain text. */
  plainMarkers: string[];
  /** Number of vocabulary rows that were left out, since the tokenizer has no token for them. */
  trimmed: number;
}

/**
 * Makes a model folder from a checkpoint and a tokenizer, and verifies it against the checkpoint. It needs no
 * Python, and runs no code from the checkpoint. The folder appears whole or not at all.
 * @throws an error with a one-line message: what was expected, and what came
 * @example
 * import { importCheckpoint } from "jai-server";
 *
 * await importCheckpoint({ checkpoint: "ckpt.pt", tokenizer: "tokenizer.json", out: "models/mine" });
 */
export async function importCheckpoint(options: ImportOptions): Promise<ImportResult> {
  return run(checked(options));
}

const activations: readonly string[] = ["gelu", "gelu_tanh", "silu", "relu", "relu2"];

/** Each option's check, and what an error says was expected. */
const checks: Record<keyof ImportOptions, { expected: string; holds: (value: unknown) => boolean }> = {
  checkpoint: { expected: "a file's path", holds: isText },
  tokenizer: { expected: "a file's path", holds: isText },
  out: { expected: "a folder's path", holds: isText },
  precision: { expected: "int8 or fp32", holds: (value) => value === "int8" || value === "fp32" },
  heads: { expected: "a positive integer", holds: (value) => Number.isInteger(value) && Number(value) > 0 },
  activation: {
    expected: activations.join(" or "),
    holds: (value) => activations.includes(value as string),
  },
  chatTemplate: { expected: "a file's path or a template's name", holds: isText },
  name: { expected: "a name", holds: isText },
  onProgress: { expected: "a function", holds: (value) => typeof value === "function" },
};

function isText(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

function checked(options: ImportOptions): Parameters<typeof run>[0] {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const withDefaults: Record<string, unknown> = { precision: "int8", ...given };
  for (const name of new Set(["checkpoint", "out", ...Object.keys(withDefaults)])) {
    const check = Object.hasOwn(checks, name) ? checks[name as keyof ImportOptions] : undefined;
    const value = withDefaults[name];
    if (check === undefined)
      throw new TypeError(`unknown option "${name}": expected one of ${Object.keys(checks).join(", ")}`);
    if (!check.holds(value)) throw new TypeError(`${name}: expected ${check.expected}, got ${shown(value)}`);
  }
  return withDefaults as unknown as Parameters<typeof run>[0];
}
