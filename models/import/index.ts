import { writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { Exactness } from "../../workers/engine/exactness.js";
import type { ModelConfig } from "../config.js";
import { renderConfigFiles, trimmedVocabulary } from "../folder.js";
import { createTokenizer } from "../tokenizer/tokenizer.js";
import { readModelFolderSource, readTokenizerFolder } from "./checkpoint/model-folder-source.js";
import { openStateDict } from "./checkpoint/open-state-dict.js";
import type { Asked } from "./families/family.js";
import { readModel } from "./families/index.js";
import { type DownloadProgress, fetchModel, fetchTokenizer, isHubReference } from "./hub/index.js";
import type { Quality } from "./judge.js";
import { explain, NewFolder, requireAbsent } from "./new-folder.js";
import { firstRows } from "./rearranged.js";
import { readTexts } from "./texts.js";
import { readTokenizer } from "./tokenizer/index.js";
import type { Verification } from "./verify.js";
import type { ModelWeights, WeightSource } from "./weights.js";
import { type ImportPhase, writeGraph } from "./write-graph.js";

export type { ImportPhase, Quality };

export interface ImportOptions extends Asked {
  /** A checkpoint, the folder that holds one, or a hub's model, as `hf:owner/name`. */
  checkpoint: string;
  /** A tokenizer in any of the formats of `readTokenizer`, its folder, or a hub's. Default: the one beside the checkpoint. */
  tokenizer?: string;
  /** A file with a chat template, or the name of one. Default: the one beside the tokenizer. */
  chatTemplate?: string;
  /** The model folder to make; must not exist. */
  out: string;
  precision: ModelConfig["precision"];
  /** The model's name; the folder's by default. */
  name?: string;
  /** Called as the work goes on, with the share of the phase that is done, from 0 to 1; of a download also in bytes. */
  onProgress?(phase: ImportPhase, share: number, bytes?: DownloadProgress): void;
}

export interface ImportResult extends Pick<Verification, "difference" | "range"> {
  config: ModelConfig;
  /** How close the int8 model comes to float32; null for `fp32`. */
  quality: Quality | null;
  /** Whether the int8 model's logits depend on how a text is cut; null for `fp32`. */
  exactness: Exactness | null;
  /** Where the chat template is from: what was asked for, beside the tokenizer, JAI's own for its family, or nowhere. */
  chatTemplate: "given" | "found" | "default" | "none";
  /** Texts in the template that look like tokens, and that the tokenizer doesn't have. */
  plainMarkers: string[];
  /** Rows of the checkpoint's vocabulary that the tokenizer has no token for, and that were left out. */
  trimmed: number;
  /** Settings that the checkpoint doesn't say, with the codebase's defaults that were taken. */
  assumed: readonly string[];
}

/**
 * Makes a model folder of a checkpoint and a tokenizer, and checks it against the checkpoint. The folder appears
 * whole or not at all.
 * @throws ImportError or ModelError, with one line that says what was expected and what came
 */
export async function importCheckpoint(options: ImportOptions): Promise<ImportResult> {
  requireAbsent(options.out);
  const local = await downloaded(options);
  const source = await readModelFolderSource(local.checkpoint);
  const state = await openStateDict(source.weights);
  try {
    const weights = readModel(state, await source.config(), options);
    const { sizes } = weights;
    // After the checkpoint: nobody should look for the tokenizer of a model that is refused.
    const converted = await readTokenizer(local.tokenizer ?? source.folder);
    const vocabulary = trimmedVocabulary(sizes.vocab, createTokenizer(converted.tokenizerJson, {}).size);
    // What lies beside the checkpoint tells nothing of another tokenizer.
    const beside = local.tokenizer === undefined ? source : await readTokenizerFolder(local.tokenizer);
    const texts = await readTexts(beside, converted, { ...weights, asked: options.chatTemplate });
    const { tokenizerJson } = texts;
    const files = renderConfigFiles(
      {
        name: options.name ?? basename(resolve(options.out)),
        vocab_size: vocabulary,
        n_positions: sizes.context,
        n_embd: sizes.width,
        n_layer: sizes.layers,
        n_head: sizes.heads,
        n_kv_head: sizes.kvHeads,
        head_dim: sizes.headDim,
        layer_norm_epsilon: weights.epsilon,
        architecture: weights.architecture,
        precision: options.precision,
      },
      tokenizerJson,
      texts.told,
    );
    const config = files["config.json"];
    const trimmed = trim(weights, vocabulary);

    const folder = new NewFolder(options.out);
    try {
      const { verification, quality, exactness } = await writeGraph(
        folder.path,
        trimmed,
        config,
        options.onProgress,
      );
      for (const [name, content] of Object.entries(files)) {
        await writeFile(join(folder.path, name), `${JSON.stringify(content, null, 2)}\n`);
      }
      // Written, not copied: a copy would keep the source's mode, which may let only its owner read it.
      await writeFile(join(folder.path, "tokenizer.json"), texts.text);
      folder.keep();
      const { difference, range } = verification;
      const { chatTemplate, plainMarkers } = texts;
      return {
        ...{ config, difference, range, quality, exactness, chatTemplate, plainMarkers },
        trimmed: sizes.vocab - vocabulary,
        assumed: weights.assumed ?? [],
      };
    } catch (error) {
      folder.discard();
      throw explain(options.out, error);
    }
  } finally {
    await state.close();
  }
}

/** The paths of both, once what a hub has is here. */
async function downloaded({
  checkpoint,
  tokenizer,
  onProgress,
}: ImportOptions): Promise<Pick<ImportOptions, "checkpoint" | "tokenizer">> {
  const options = {
    onProgress: (bytes: DownloadProgress) => onProgress?.("downloading", bytes.done / bytes.total, bytes),
  };
  const needsTokenizer = tokenizer === undefined;
  return {
    ...(tokenizer !== undefined && {
      tokenizer: isHubReference(tokenizer) ? await fetchTokenizer(tokenizer, options) : tokenizer,
    }),
    checkpoint: isHubReference(checkpoint)
      ? await fetchModel(checkpoint, { ...options, needsTokenizer })
      : checkpoint,
  };
}

/** The same weights with only the first `vocabulary` rows of the token table and of the head. */
function trim(weights: ModelWeights, vocabulary: number): ModelWeights {
  if (vocabulary === weights.sizes.vocab) return weights;
  const rows = (source: WeightSource) => firstRows(source, vocabulary);
  const tokens = rows(weights.tokens);
  const { weight, bias } = weights.head;
  return {
    ...weights,
    sizes: { ...weights.sizes, vocab: vocabulary },
    tokens,
    head: { weight: weights.tied ? tokens : rows(weight), bias: bias && rows(bias) },
  };
}
