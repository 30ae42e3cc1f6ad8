import { readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ImportError } from "./error.js";
import { assertShallow } from "./shallow-json.js";

/** An index of a model too large for this server takes a tenth of it. */
const MAX_INDEX = 16 << 20;
const MAX_SHARDS = 1000;
/** Index, weight_map, and some room for what `metadata` holds. */
const MAX_NESTING = 16;

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
  const map = await readWeightMap(index);
  const fileOf = new Map<string, string>();
  for (const [name, shard] of Object.entries(map)) {
    if (typeof shard !== "string" || !isPlainName(shard))
      throw new ImportError(
        index,
        `expected the name of a file beside the index for the tensor "${name}", got ${JSON.stringify(shard)?.slice(0, 200)}`,
      );
    fileOf.set(name, join(dirname(index), shard));
  }
  const files = [...new Set(fileOf.values())];
  if (files.length === 0 || files.length > MAX_SHARDS)
    throw new ImportError(index, `expected 1 to ${MAX_SHARDS} files in weight_map, got ${files.length}`);
  return { files, fileOf };
}

async function readWeightMap(index: string): Promise<Record<string, unknown>> {
  const { size } = await stat(index);
  if (size > MAX_INDEX)
    throw new ImportError(index, `expected an index of at most ${MAX_INDEX} bytes, got ${size}`);
  let parsed: unknown;
  try {
    const bytes = await readFile(index);
    assertShallow(bytes, MAX_NESTING);
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message : "it isn't UTF-8";
    throw new ImportError(index, `expected an index of JSON, got something else (${reason})`);
  }
  const map = isObject(parsed) ? parsed.weight_map : undefined;
  if (isObject(map)) return map;
  throw new ImportError(
    index,
    'expected the index of a sharded model, with "weight_map"; got JSON without one. Name the checkpoint instead',
  );
}

/** No separators of any system, no drive, no parent folder. */
function isPlainName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && name.length <= 255 && !/[/\\:\0]/.test(name);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
