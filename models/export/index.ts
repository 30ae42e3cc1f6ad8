import { ModelError } from "../files/error.js";
import { readModelFolder } from "../folder.js";
import type { ModelWeights } from "../import/weights.js";
import { fitArchitecture, type GgufArchitecture } from "./architecture.js";
import { readFolderWeights } from "./folder-weights.js";
import { type GgufType, writeGguf } from "./gguf.js";
import { modelMetadata } from "./metadata.js";
import { requireNew, writeWhole } from "./new-file.js";
import { ggufTensors } from "./tensors.js";
import { exportTokenizer } from "./tokenizer/index.js";

export { GGUF_TYPES, type GgufType } from "./gguf.js";

export interface ExportOptions {
  /** A model folder. */
  model: string;
  /** The file to make; must not exist. */
  out: string;
  /** How matrices are kept. */
  type: GgufType;
  /** Whether llama.cpp may compute or tokenize a little differently. */
  approximate: boolean;
  /** Called with the share of the tensors that are written, from 0 to 1. */
  onProgress?: ((share: number) => void) | undefined;
}

export interface ExportResult {
  architecture: GgufArchitecture;
  tensors: number;
  /** Warnings for the user, a line each. */
  notes: string[];
}

/**
 * Writes a model folder as a GGUF file for llama.cpp. The file appears whole or not at all.
 * @throws ModelError, with one line that names what llama.cpp computes otherwise
 */
export async function exportGguf(options: ExportOptions): Promise<ExportResult> {
  const { model, out, type, approximate } = options;
  requireNew(out);
  const folder = readModelFolder(model);
  const weights = readFolderWeights(folder);
  const { architecture, differences } = named(model, () => fitArchitecture(weights, approximate));
  const tokenizer = named(model, () => exportTokenizer(folder, approximate));
  const tensors = ggufTensors(weights, architecture, type, await isTied(weights));
  const metadata = {
    ...modelMetadata(folder.config.name, weights, architecture, type),
    ...tokenizer.metadata,
  };
  await writeWhole(out, (file) => writeGguf(file, metadata, tensors, options.onProgress));
  const isInt8 = folder.config.precision === "int8";
  const notes = [
    ...differences,
    ...tokenizer.notes,
    ...(isInt8
      ? ["the folder is int8, so the weights are the rounded ones; export an fp32 folder for the original's"]
      : []),
  ];
  return { architecture, tensors: tensors.length, notes };
}

/** Names the folder in errors. */
function named<T>(folder: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof ModelError ? new ModelError(`${folder}: ${error.message}`) : error;
  }
}

/** Whether the output head is the token table; then llama.cpp needs it once. An int8 head never is quite. */
async function isTied({ tokens, head }: ModelWeights): Promise<boolean> {
  const [rows, weights] = [await tokens.read(), await head.weight.read()];
  return rows.length === weights.length && rows.every((value, i) => value === weights[i]);
}
