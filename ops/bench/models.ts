import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { readModelFolder } from "../../models/folder.js";
import { importCheckpoint } from "../../models/import/index.js";
import { readingOf } from "./load/reading.js";
import type { BenchModel, Checkpoint } from "./load/system.js";
import type { BenchOptions } from "./options.js";
import { writeGgufModel } from "./peers/gguf-model.js";
import { writeTransformersModel } from "./peers/transformers-model.js";
import type { Precision } from "./results/results.js";
import { writeWideModel } from "./wide-model.js";

/** Vocabulary size of the second model. */
const SECOND_VOCABULARY = 24_000;

/** Makes the models in a scratch folder: the given one and, for a checkpoint, a second one with a larger vocabulary. */
export async function prepareModels({ source, quick }: BenchOptions, scratch: string): Promise<BenchModel[]> {
  if ("folder" in source) return [benchModel(source.folder, {}, "", scratch)];
  const first = await prepare(source, ["int8", "fp32"], join(scratch, "first"));
  if (quick || first.config.vocab_size >= SECOND_VOCABULARY) return [first];
  const wide = await writeWideModel(source, SECOND_VOCABULARY, scratch);
  return [first, await prepare(wide, ["int8"], join(scratch, "second"))];
}

async function prepare(
  source: Checkpoint,
  precisions: readonly Precision[],
  work: string,
): Promise<BenchModel> {
  await mkdir(work, { recursive: true });
  const folders: BenchModel["folders"] = {};
  for (const precision of precisions) {
    folders[precision] = join(work, precision);
    await importCheckpoint({ ...source, precision, out: folders[precision] });
  }
  const model = benchModel(folders.int8!, folders, source.checkpoint, work);
  const name = `vocabulary ${model.config.vocab_size.toLocaleString("en")}`;
  return { ...model, config: { ...model.config, name } };
}

function benchModel(
  folder: string,
  folders: BenchModel["folders"],
  checkpoint: string,
  work: string,
): BenchModel {
  const model = readModelFolder(folder);
  const { config } = model;
  return {
    config,
    reading: readingOf(model),
    folder,
    folders: { ...folders, [config.precision]: folder },
    checkpoint,
    gguf: once(join(work, "model.gguf"), (path) => writeGgufModel(checkpoint, config.vocab_size, path)),
    transformers: once(join(work, "transformers"), (path) =>
      writeTransformersModel(checkpoint, "int8", path),
    ),
  };
}

/** A function that makes a file at its first call. */
function once(path: string, make: (path: string) => Promise<void>): () => Promise<string> {
  let made: Promise<string> | undefined;
  return () => {
    made ??= make(path).then(() => path);
    return made;
  };
}
