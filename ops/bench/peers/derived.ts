import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { decodeText } from "../../../models/files/decode-text.js";
import type { BenchModel } from "../system.js";
import { writeGgufModel } from "./gguf-model.js";
import { type TransformersPrecision, writeTransformersModel } from "./transformers-model.js";

/** What this process made of a checkpoint. A file of an earlier run may be of another checkpoint, so it counts for nothing. */
const made = new Map<string, Promise<string>>();

function once(path: string, make: () => Promise<void>): Promise<string> {
  let file = made.get(path);
  if (file === undefined) {
    file = make().then(() => path);
    made.set(path, file);
  }
  return file;
}

/** The model as a GGUF file, in its scratch directory. */
export async function ggufFile(model: BenchModel): Promise<string> {
  await mkdir(model.work, { recursive: true });
  const path = join(model.work, "model-q8_0.gguf");
  return once(path, () => writeGgufModel(model.checkpoint, model.tokenizer, path));
}

/** The model as a folder for transformers.js, in its scratch directory. */
export async function transformersFolder(
  model: BenchModel,
  precision: TransformersPrecision,
): Promise<string> {
  await mkdir(model.work, { recursive: true });
  const path = join(model.work, `transformers-${precision}`);
  return once(path, () => writeTransformersModel(model.checkpoint, path, precision));
}

/** Positions in the model's window. */
export async function contextOf(model: BenchModel): Promise<number> {
  const config = JSON.parse(decodeText(await readFile(join(model.folder, "config.json")))) as {
    n_positions: number;
  };
  return config.n_positions;
}
