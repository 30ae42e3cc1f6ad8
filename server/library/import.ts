import { importCheckpoint as run } from "../../models/import/index.js";
import { shown } from "./internal/shown.js";

/** Options of an import. */
export interface ImportOptions {
  /** The file that `torch.save` wrote. */
  checkpoint: string;
  /** Its Hugging Face `tokenizer.json`. */
  tokenizer: string;
  /** The model folder to make; must not exist. */
  out: string;
  /** Default `int8`, which a CPU runs fastest. */
  precision?: "int8" | "fp32" | undefined;
  /** Attention heads, for checkpoints that don't say. */
  heads?: number | undefined;
  /** The model's name. Default the folder's. */
  name?: string | undefined;
  /** Called as the work goes on, with the share of the phase that is done, from 0 to 1. */
  onProgress?: ((phase: ImportPhase, share: number) => void) | undefined;
}

/** Phases of an import, in this order; with `fp32` it only writes and verifies. */
export type ImportPhase = "preparing" | "verifying" | "calibrating" | "writing" | "comparing";

/** How close an int8 model comes to its float32 original. */
export interface Quality {
  /** Mean Kullback-Leibler divergence of its next-token distribution from the original's, in nats a token. */
  kl: number;
  /** Share of positions at which both put the same token first, from 0 to 1. */
  sameTop: number;
  /** With a poor one `fp32` is the better precision. */
  verdict: "good" | "fair" | "poor";
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
    layer_norm_epsilon: number;
    precision: "int8" | "fp32";
  };
  /** The greatest difference between the logits of the checkpoint and of the float32 graph. */
  difference: number;
  /** The span of the checkpoint's logits, beside which that difference is to be seen. */
  range: number;
  /** Null for `fp32`. */
  quality: Quality | null;
  /** Rows of the checkpoint's vocabulary that the tokenizer has no token for, and that were left out. */
  trimmed: number;
}

/**
 * Makes a model folder of a PyTorch checkpoint and a tokenizer, without Python and without running anything in it, and
 * checks it against the checkpoint. The folder appears whole or not at all.
 * @throws an error whose one line says what was expected and what came
 * @example
 * import { importCheckpoint } from "jai-server";
 *
 * await importCheckpoint({ checkpoint: "ckpt.pt", tokenizer: "tokenizer.json", out: "models/mine" });
 */
export async function importCheckpoint(options: ImportOptions): Promise<ImportResult> {
  return run(checked(options));
}

/** The check of each option, and its words for errors. */
const checks: Record<keyof ImportOptions, { expected: string; holds: (value: unknown) => boolean }> = {
  checkpoint: { expected: "a file's path", holds: isText },
  tokenizer: { expected: "a file's path", holds: isText },
  out: { expected: "a folder's path", holds: isText },
  precision: { expected: "int8 or fp32", holds: (value) => value === "int8" || value === "fp32" },
  heads: { expected: "a positive integer", holds: (value) => Number.isInteger(value) && Number(value) > 0 },
  name: { expected: "a name", holds: isText },
  onProgress: { expected: "a function", holds: (value) => typeof value === "function" },
};

function isText(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

function checked(options: ImportOptions): Parameters<typeof run>[0] {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const withDefaults: Record<string, unknown> = { precision: "int8", ...given };
  for (const name of new Set(["checkpoint", "tokenizer", "out", ...Object.keys(withDefaults)])) {
    const check = Object.hasOwn(checks, name) ? checks[name as keyof ImportOptions] : undefined;
    const value = withDefaults[name];
    if (check === undefined)
      throw new TypeError(`unknown option "${name}": expected one of ${Object.keys(checks).join(", ")}`);
    if (!check.holds(value)) throw new TypeError(`${name}: expected ${check.expected}, got ${shown(value)}`);
  }
  return withDefaults as unknown as Parameters<typeof run>[0];
}
