import { dirname, join } from "node:path";
import { ImportError } from "./error.js";
import { isJsonObject, readJsonObject } from "./json-file.js";

/** Ten times the index of a model that is too large for this server. */
const MAX_INDEX = 16 << 20;
/** All files stay open until the import ends. Models that this server can run have fewer. */
const MAX_SHARDS = 200;
/** In all shards together. */
const MAX_TENSORS = 100_000;

/** The files of a model that is saved in pieces. */
export interface Shards {
  /** Paths, in the order of the index. */
  files: string[];
  /** By each tensor's name, the path of the file that has it. */
  fileOf: ReadonlyMap<string, string>;
}

/**
 * Reads `model.safetensors.index.json` or `pytorch_model.bin.index.json`. The files that it names must lie beside it:
 * an index that comes from elsewhere must not choose which files are read.
 * @throws ImportError
 */
export async function readShards(index: string): Promise<Shards> {
  const { weight_map: map } = await readJsonObject(index, MAX_INDEX);
  if (!isJsonObject(map))
    throw new ImportError(
      index,
      'expected the index of a sharded model, with "weight_map"; got JSON without one. Name the checkpoint instead',
    );
  const fileOf = new Map<string, string>();
  for (const [name, shard] of Object.entries(map)) {
    if (typeof shard !== "string" || !isPlainName(shard))
      throw new ImportError(
        index,
        `expected the name of a file beside the index for the tensor "${name}", got ${typeof shard === "string" ? JSON.stringify(shard.slice(0, 200)) : `a ${typeof shard}`}`,
      );
    fileOf.set(name, join(dirname(index), shard));
  }
  if (fileOf.size > MAX_TENSORS)
    throw new ImportError(index, `expected at most ${MAX_TENSORS} tensors in weight_map, got ${fileOf.size}`);
  const files = [...new Set(fileOf.values())];
  if (files.length === 0 || files.length > MAX_SHARDS)
    throw new ImportError(index, `expected 1 to ${MAX_SHARDS} files in weight_map, got ${files.length}`);
  return { files, fileOf };
}

/** No separators of any system, no drive, no parent folder. */
function isPlainName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && name.length <= 255 && !/[/\\:\0]/.test(name);
}
