import { openCheckpoint } from "./checkpoint.js";
import { ImportError } from "./error.js";
import { isSafetensors, isZip, KIND_BYTES, kindOf } from "./file-kind.js";
import { openLlama2c, parseHeader } from "./llama2c-bin.js";
import { OpenFile } from "./open-file.js";
import type { Value } from "./pickle.js";
import { openSafetensors } from "./safetensors.js";
import { readShards, type Shards } from "./shards.js";
import { type Config, findStateDict, withoutWrapper, withoutWrappers } from "./state-dict.js";
import type { Tensor } from "./tensor.js";

/** A model's tensors by name, whatever kind of file they lie in. */
export interface OpenedStateDict {
  readonly file: string;
  /** The file's kind, for messages, such as `a PyTorch checkpoint`. */
  readonly form: string;
  /** Under their names in the file, without the prefixes of wrappers (`module.`, `_orig_mod.`). */
  readonly tensors: Map<string, Tensor>;
  /** The beginning of all names, such as `model.` in a Lightning checkpoint; else "". */
  readonly prefix: string;
  /** The model's sizes, as the file has them. */
  readonly config: Config | undefined;
  /** No tensor can be read afterwards. */
  close(): Promise<void>;
}

type Opened = Omit<OpenedStateDict, "prefix">;

/**
 * Opens a checkpoint of PyTorch, a safetensors file, the index of a sharded model, or llama2.c's version-0 `.bin`. The
 * contents tell which it is. Nothing in it is run, and no tensor is read yet.
 * @throws ImportError
 */
export async function openStateDict(file: string): Promise<OpenedStateDict> {
  const opened = await openAny(file, true);
  return { ...opened, prefix: commonPrefix([...opened.tensors.keys()]) };
}

async function openAny(file: string, mayBeIndex: boolean): Promise<Opened> {
  const start = await look(file);
  if (isZip(start)) return fromPyTorch(file);
  if (isSafetensors(start)) {
    const { tensors, close } = await openSafetensors(file);
    return closing(close, () => ({
      file,
      form: "a safetensors file",
      tensors: withoutWrappers(file, tensors),
      config: undefined,
      close,
    }));
  }
  if (parseHeader(start) !== undefined) return fromLlama2c(file);
  if (mayBeIndex && /^\s*\{/.test(start.toString("latin1"))) return fromShards(file, await readShards(file));
  throw new ImportError(
    file,
    `expected a PyTorch checkpoint, a safetensors file or its index, or llama2.c's .bin, got ${kindOf(start)}`,
  );
}

async function look(file: string): Promise<Buffer> {
  const open = await OpenFile.open(file);
  try {
    return await open.head(KIND_BYTES);
  } finally {
    await open.close();
  }
}

async function fromPyTorch(file: string): Promise<Opened> {
  const checkpoint = await openCheckpoint(file);
  const close = () => checkpoint.close();
  return closing(close, () => {
    const { tensors, config, path } = findStateDict(checkpoint);
    const form = path === "" ? "a PyTorch state dict" : `a PyTorch checkpoint, its "${path}"`;
    return { file, form, tensors, config, close };
  });
}

async function fromLlama2c(file: string): Promise<Opened> {
  const { tensors, header, close } = await openLlama2c(file);
  const { tied: _, ...sizes } = header;
  const config = { name: "header", values: new Map<Value, Value>(Object.entries(sizes)) };
  return { file, form: "llama2.c's version-0 .bin", tensors, config, close };
}

/** Opens all shards. Each tensor must lie where the index says, once. */
async function fromShards(index: string, { files, fileOf }: Shards): Promise<Opened> {
  const shards = new Map<string, Opened>();
  const close = async () => {
    for (const shard of shards.values()) await shard.close();
  };
  try {
    for (const file of files) shards.set(file, await openAny(file, false));
    const expected = new Set([...fileOf.keys()].map(withoutWrapper));
    const tensors = new Map<string, Tensor>();
    for (const [file, shard] of shards)
      for (const [name, tensor] of shard.tensors) {
        if (!expected.has(name))
          throw new ImportError(file, `unexpected tensor "${name}", which isn't in the index`);
        if (tensors.has(name)) throw new ImportError(file, `the tensor "${name}" is in another file, too`);
        tensors.set(name, tensor);
      }
    for (const [name, file] of fileOf)
      if (!shards.get(file)?.tensors.has(withoutWrapper(name)))
        throw new ImportError(file, `the tensor "${name}" is missing, which the index says is here`);
    return { file: index, form: `a model in ${files.length} files`, tensors, config: undefined, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Makes something of an open file, and closes the file if that fails. */
async function closing<T>(close: () => Promise<void>, make: () => T): Promise<T> {
  try {
    return make();
  } catch (error) {
    await close();
    throw error;
  }
}

/** The longest beginning up to a dot that all names share. */
function commonPrefix([first = "", ...others]: readonly string[]): string {
  let length = first.lastIndexOf(".") + 1;
  for (const name of others) {
    let same = 0;
    while (same < length && name[same] === first[same]) same++;
    length = same;
  }
  return first.slice(0, first.lastIndexOf(".", length - 1) + 1).slice(0, length);
}
