import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { cacheBytesPerSlot, type ModelFolder, readModelFolder } from "../../models/folder.js";
import { importCheckpoint } from "../../models/import/index.js";
import type { BenchOptions } from "./options.js";
import { writeRandomModel } from "./random-model.js";
import type { ModelRow, Precision } from "./results.js";
import type { BenchModel } from "./system.js";

/** Tokens of the second model's vocabulary. */
export const SECOND_VOCABULARY = 24_000;

/** A model under measurement. */
export interface Subject {
  bench: BenchModel;
  /** Model folders by precision; a model that came as a folder has only its own. */
  folders: Partial<Record<Precision, string>>;
  folder: ModelFolder;
  cacheBytesPerSlot: number;
}

/** Makes the models in a scratch directory: the given one and, of a checkpoint, one like it with random weights and more tokens. */
export async function prepareSubjects({ source, quick }: BenchOptions, scratch: string): Promise<Subject[]> {
  if ("folder" in source) {
    const folder = readModelFolder(source.folder);
    const { name, precision } = folder.config;
    const bench = { name, checkpoint: "", tokenizer: "", folder: source.folder, work: scratch };
    const folders = { [precision]: source.folder };
    return [{ bench, folders, folder, cacheBytesPerSlot: cacheBytesPerSlot(folder.config) }];
  }
  const first = await importSubject(source, ["int8", "fp32"], join(scratch, "first"));
  if (quick) return [first];
  const work = join(scratch, "second");
  await mkdir(work);
  const random = await writeRandomModel(work, SECOND_VOCABULARY);
  return [first, await importSubject(random, ["int8"], work)];
}

async function importSubject(
  source: { checkpoint: string; tokenizer: string },
  precisions: readonly Precision[],
  work: string,
): Promise<Subject> {
  await mkdir(work, { recursive: true });
  const folders: Partial<Record<Precision, string>> = {};
  for (const precision of precisions) {
    folders[precision] = join(work, precision);
    await importCheckpoint({ ...source, precision, out: folders[precision] });
  }
  const folder = readModelFolder(folders.int8!);
  const name = `vocabulary ${folder.config.vocab_size.toLocaleString("en")}`;
  const bench = { ...source, name, folder: folders.int8!, work };
  return { bench, folders, folder, cacheBytesPerSlot: cacheBytesPerSlot(folder.config) };
}

export function modelRow({ bench, folder: { config } }: Subject): ModelRow {
  return {
    name: bench.name,
    layers: config.n_layer,
    width: config.n_embd,
    heads: config.n_head,
    context: config.n_positions,
    vocabulary: config.vocab_size,
  };
}
