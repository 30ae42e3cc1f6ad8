import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type ModelConfig, readModelFolder } from "../../models/folder.js";
import { importCheckpoint } from "../../models/import/index.js";
import type { BenchOptions, Checkpoint } from "./options.js";
import { writeGgufModel } from "./peers/gguf-model.js";
import { writeTransformersModel } from "./peers/transformers-model.js";
import type { Precision } from "./results.js";
import { writeWideModel } from "./wide-model.js";

/** Tokens of the second model's vocabulary. */
const SECOND_VOCABULARY = 24_000;

/** One model, in the forms that the systems take. */
export interface BenchModel {
  /** Its name in the report is `config.name`. */
  config: ModelConfig;
  encode(text: string): number[];
  /** The model folder that our server takes. */
  folder: string;
  /** Model folders by precision; a model that came as a folder has only its own. */
  folders: Partial<Record<Precision, string>>;
  /** The forms for peers: ckpt.pt, and what is made of it when it is first asked for. */
  checkpoint: string;
  gguf(): Promise<string>;
  transformers(): Promise<string>;
}

/** Makes the models in a scratch directory: the given one and, of a checkpoint, one like it with more tokens. */
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
  const { config, tokenizer } = readModelFolder(folder);
  return {
    config,
    encode: (text) => tokenizer.encode(text),
    folder,
    folders: { ...folders, [config.precision]: folder },
    checkpoint,
    gguf: once(join(work, "model.gguf"), (path) => writeGgufModel(checkpoint, config.vocab_size, path)),
    transformers: once(join(work, "transformers"), (path) =>
      writeTransformersModel(checkpoint, "int8", path),
    ),
  };
}

/** Makes a file at the first call. */
function once(path: string, make: (path: string) => Promise<void>): () => Promise<string> {
  let made: Promise<string> | undefined;
  return () => {
    made ??= make(path).then(() => path);
    return made;
  };
}
