import { writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { ModelConfig } from "../config.js";
import { renderConfigFiles, trimmedVocabulary } from "../folder.js";
import { createTokenizer } from "../tokenizer/tokenizer.js";
import { openCheckpoint } from "./checkpoint/checkpoint.js";
import { type GptWeights, readWeights, type WeightSource } from "./checkpoint/weights.js";
import type { Quality } from "./judge.js";
import { explain, NewFolder, requireAbsent } from "./new-folder.js";
import { readTokenizer } from "./tokenizer/index.js";
import type { Verification } from "./verify.js";
import { type ImportPhase, writeGraph } from "./write-graph.js";

export type { ImportPhase, Quality };

const LAYER_NORM_EPSILON = 1e-5;

export interface ImportOptions {
  checkpoint: string;
  /** A tokenizer in any of the formats of `readTokenizer`. */
  tokenizer: string;
  /** The model folder to make; must not exist. */
  out: string;
  precision: ModelConfig["precision"];
  /** Attention heads, for checkpoints that don't say. */
  heads?: number;
  /** The model's name; the folder's by default. */
  name?: string;
  /** Called as the work goes on, with the share of the phase that is done, from 0 to 1. */
  onProgress?(phase: ImportPhase, share: number): void;
}

export interface ImportResult extends Pick<Verification, "difference" | "range"> {
  config: ModelConfig;
  /** How close the int8 model comes to float32; null for `fp32`. */
  quality: Quality | null;
  /** Rows of the checkpoint's vocabulary that the tokenizer has no token for, and that were left out. */
  trimmed: number;
}

/**
 * Makes a model folder of a PyTorch checkpoint and a tokenizer, and checks it against the checkpoint. The folder appears
 * whole or not at all.
 * @throws ImportError or ModelError, with one line that says what was expected and what came
 */
export async function importCheckpoint(options: ImportOptions): Promise<ImportResult> {
  requireAbsent(options.out);
  const { tokenizerJson, text: tokenizerText } = await readTokenizer(options.tokenizer);
  const checkpoint = await openCheckpoint(options.checkpoint);
  try {
    const weights = await readWeights(
      checkpoint,
      options.heads === undefined ? {} : { heads: options.heads },
    );
    const { sizes } = weights;
    const vocabulary = trimmedVocabulary(sizes.vocab, createTokenizer(tokenizerJson, {}).size);
    const files = renderConfigFiles(
      {
        name: options.name ?? basename(resolve(options.out)),
        vocab_size: vocabulary,
        n_positions: sizes.context,
        n_embd: sizes.width,
        n_layer: sizes.layers,
        n_head: sizes.heads,
        layer_norm_epsilon: LAYER_NORM_EPSILON,
        precision: options.precision,
      },
      tokenizerJson,
    );
    const config = files["config.json"];
    const trimmed = trim(weights, vocabulary);

    const folder = new NewFolder(options.out);
    try {
      const { verification, quality } = await writeGraph(folder.path, trimmed, config, options.onProgress);
      for (const [name, content] of Object.entries(files)) {
        await writeFile(join(folder.path, name), `${JSON.stringify(content, null, 2)}\n`);
      }
      // Written, not copied: a copy would keep the source's mode, which may let only its owner read it.
      await writeFile(join(folder.path, "tokenizer.json"), tokenizerText);
      folder.keep();
      const { difference, range } = verification;
      return { config, difference, range, quality, trimmed: sizes.vocab - vocabulary };
    } catch (error) {
      folder.discard();
      throw explain(options.out, error);
    }
  } finally {
    await checkpoint.close();
  }
}

/** The same weights with only the first `vocabulary` rows of the token table and of the head. */
function trim(weights: GptWeights, vocabulary: number): GptWeights {
  if (vocabulary === weights.sizes.vocab) return weights;
  const { width } = weights.sizes;
  const rows = (source: WeightSource): WeightSource => ({
    name: source.name,
    shape: [vocabulary, width],
    read: async () => (await source.read()).slice(0, vocabulary * width),
  });
  return {
    ...weights,
    sizes: { ...weights.sizes, vocab: vocabulary },
    tokens: rows(weights.tokens),
    head: rows(weights.head),
  };
}
