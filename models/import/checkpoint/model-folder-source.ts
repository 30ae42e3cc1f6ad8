import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ImportError } from "./error.js";
import type { JsonObject } from "./json-file.js";
import { readOptionalJson, readSourceConfig } from "./source-config.js";
import { findTokenizer, type TokenizerFiles } from "./source-tokenizer.js";
import type { Config } from "./state-dict.js";

/** What training scripts leave in a folder: weights, and what describes them. */
export interface ModelFolderSource {
  readonly folder: string;
  /** The file that `openStateDict` opens: a checkpoint, or the index of several. */
  readonly weights: string;
  /** Path of `chat_template.jinja`. */
  readonly chatTemplate: string | undefined;
  /** Path of a file in the folder, where it is there, such as `added_tokens.json`. */
  path(name: string): string | undefined;
  // These are read when asked for, so that a broken file does no harm beside a checkpoint that doesn't need it.
  /**
   * The sizes, where a file beside the weights has them.
   * @throws ImportError
   */
  config(): Promise<Config | undefined>;
  /**
   * `generation_config.json`, where it is there.
   * @throws ImportError
   */
  generationConfig(): Promise<JsonObject | undefined>;
  /**
   * `tokenizer_config.json`, where it is there.
   * @throws ImportError
   */
  tokenizerConfig(): Promise<JsonObject | undefined>;
  /** @throws ImportError where there is none, or two of the same kind */
  tokenizer(): TokenizerFiles;
}

/** The files that describe how the model reads and writes texts. */
export type ToldSource = Pick<
  ModelFolderSource,
  "config" | "tokenizerConfig" | "generationConfig" | "chatTemplate"
>;

/** Names under which the same model may lie in a folder twice; the first goes before the others. */
const SAME_MODEL: readonly (readonly string[])[] = [
  ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"],
  // llama2.c's train.py writes both.
  ["ckpt.pt", "model.bin"],
];
const WEIGHTS = /\.(?:safetensors|pt|pth|ckpt|bin)$|\.(?:safetensors|bin)\.index\.json$/;
/** What a trainer saves beside the weights, data sets of token ids, and llama2.c's tokenizer. */
const OTHERS =
  /^(?:optim|scheduler|scaler|rng_state|random_states|training_args|trainer_state|adapter_|tok[^/]*\.bin$|token_bytes\.pt$|(?:train|val|valid|test)\.bin$)/;
const SHARD = /-\d{5}-of-\d{5}\.(?:safetensors|bin)$/;
const SHOWN = 5;

/**
 * Finds the files of one model, in a folder or beside a named checkpoint. Reads file names only.
 * @throws ImportError where no weights are there, or several that may be different models
 */
export async function readModelFolderSource(path: string): Promise<ModelFolderSource> {
  const isFolder = await isDirectory(path);
  const folder = isFolder ? path : dirname(path);
  const names = await filesIn(folder);
  const weights = isFolder ? findWeights(folder, names) : named(path);
  return {
    folder,
    weights: join(folder, weights),
    config: () => readSourceConfig(folder, names, weights),
    generationConfig: () => readOptionalJson(folder, names, "generation_config.json"),
    tokenizerConfig: () => readOptionalJson(folder, names, "tokenizer_config.json"),
    chatTemplate: templateIn(folder, names),
    path: (name) => (names.includes(name) ? join(folder, name) : undefined),
    tokenizer: () => findTokenizer(folder, names),
  };
}

/**
 * The same of a folder that was given as the tokenizer: its `tokenizer_config.json` and its chat template. Its other files may
 * be another model's. Null where the path is no folder.
 */
export async function readTokenizerFolder(path: string): Promise<ToldSource | null> {
  if (!(await stat(path).catch(() => null))?.isDirectory()) return null;
  const names = await filesIn(path);
  return {
    config: () => Promise.resolve(undefined),
    generationConfig: () => Promise.resolve(undefined),
    tokenizerConfig: () => readOptionalJson(path, names, "tokenizer_config.json"),
    chatTemplate: templateIn(path, names),
  };
}

const templateIn = (folder: string, names: readonly string[]) =>
  names.includes("chat_template.jinja") ? join(folder, "chat_template.jinja") : undefined;

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ImportError(
      path,
      code === "ENOENT" ? "no such file or folder" : `can't be opened (${code ?? message})`,
    );
  }
}

/** Sorted. A link counts as the file that it points to: Hugging Face's cache is made of links. */
async function filesIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() || entry.isSymbolicLink())
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ImportError(folder, `can't be listed (${code ?? message})`);
  }
}

function named(path: string): string {
  const name = basename(path);
  if (SHARD.test(name))
    throw new ImportError(
      path,
      "expected a whole model, got one part of it; name the folder or the index instead",
    );
  return name;
}

/** @throws ImportError */
export function findWeights(folder: string, names: readonly string[]): string {
  const found = names.filter((name) => WEIGHTS.test(name) && !OTHERS.test(name) && !SHARD.test(name));
  const left = new Set(found);
  for (const group of SAME_MODEL)
    for (const name of group.filter((name) => left.has(name)).slice(1)) left.delete(name);
  const [first, another] = left;
  if (first === undefined) throw noWeights(folder, names);
  if (another === undefined) return first;
  const shown = [...left].slice(0, SHOWN).join(", ") + (left.size > SHOWN ? ", …" : "");
  throw new ImportError(
    folder,
    `expected one checkpoint, got ${left.size}: ${shown}; name the one to import, such as ${join(folder, [...left].at(-1)!)}`,
  );
}

function noWeights(folder: string, names: readonly string[]): ImportError {
  const adapter = names.find((name) => /^adapter_model\./.test(name));
  if (adapter !== undefined)
    return new ImportError(
      folder,
      `expected a whole model, got only the adapter ${adapter}; merge it into its model (merge_and_unload in peft) and save that`,
    );
  if (names.some((name) => SHARD.test(name)))
    return new ImportError(
      folder,
      "expected a model's index beside its parts, such as model.safetensors.index.json",
    );
  if (names.includes("self_test.json"))
    return new ImportError(
      folder,
      "expected a checkpoint, got a model folder that `jai import` wrote; serve it with `jai serve --model`",
    );
  return new ImportError(
    folder,
    "expected a checkpoint (*.safetensors, *.pt, *.pth, *.ckpt or *.bin) in the folder, got none; name the checkpoint, or the folder that it is in",
  );
}
