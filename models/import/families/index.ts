import type { OpenedStateDict } from "../checkpoint/open-state-dict.js";
import type { Config } from "../checkpoint/state-dict.js";
import type { ModelWeights } from "../weights.js";
import { assertAgree } from "./agreement.js";
import type { Asked, Family, PromptStart, Source } from "./family.js";
import { hasGptNames, readGpt } from "./gpt.js";
import { gptNeo } from "./gpt-neo.js";
import { gptNeox } from "./gpt-neox.js";
import { gpt2 } from "./gpt2.js";
import { litgpt } from "./litgpt.js";
import { llama } from "./llama.js";
import { llama2c } from "./llama2c.js";
import { llmsFromScratch } from "./llms-from-scratch.js";
import { minGpt2020 } from "./mingpt-2020.js";
import { nanochat } from "./nanochat.js";
import { ngVideoLecture } from "./ng-video-lecture.js";
import { Settings } from "./settings.js";
import { LIMITS, TensorReader } from "./tensor-reader.js";

/** Of the GPTs that `readGpt` reads, only JAI's have this tensor. */
const JAI_TENSOR = "tok_emb.weight";

/** A checkpoint's weights, and what its codebase has to do with texts. */
export interface ReadModel extends ModelWeights {
  promptStart: PromptStart;
  /** Whether it is of JAI's own family, which has one chat template. */
  isJai: boolean;
}

const FAMILIES: readonly Family[] = [
  llama,
  llama2c,
  gptNeox,
  gptNeo,
  litgpt,
  nanochat,
  llmsFromScratch,
  ngVideoLecture,
  minGpt2020,
  gpt2,
];

/**
 * Finds the weights of a model in a checkpoint of any family that this server knows. Every tensor is accounted for and every
 * shape checked, without reading a tensor. The weights own the checkpoint: it is closed with them.
 * @param beside what a config file beside the checkpoint says; it overrides what the checkpoint says
 * @throws ImportError
 */
export function readModel(state: OpenedStateDict, beside: Config | undefined, asked: Asked): ReadModel {
  const { file } = state;
  const config =
    beside ?? (state.config && { ...state.config, name: `the checkpoint's ${state.config.name}` });
  const tensors = new TensorReader(file, state);
  const source: Source = {
    tensors,
    settings: config ? new Settings(file, config.name, config.values) : null,
    asked,
  };
  const family = FAMILIES.find((one) => one.is(source));
  if (family === undefined && !hasGptNames(state.tensors.keys())) throw unknown(tensors, state);
  const read = family?.read(source) ?? readGpt({ ...state, config: state.config ?? beside }, asked);
  if (family !== undefined) {
    tensors.assertNothingLeft();
    if (source.settings !== null) assertAgree(source.settings, read.sizes);
  }
  if (read.sizes.context > LIMITS.context)
    throw tensors.error(
      `expected a context of at most ${LIMITS.context} positions, got ${read.sizes.context}; lower it in ${config?.name}`,
    );
  return {
    ...read,
    promptStart: family?.promptStart ?? "files",
    isJai: family === undefined && state.tensors.has(JAI_TENSOR),
    close: () => state.close(),
  };
}

function unknown(reader: TensorReader, { tensors }: OpenedStateDict) {
  const known = ["JAI", "nanoGPT", "build-nanogpt", "minGPT", ...FAMILIES.map(({ name }) => name)];
  const got = [...tensors.keys()].slice(0, 3).map((name) => `"${name}"`);
  return reader.error(
    `expected tensors that are named as in one of (${known.join("; ")}), got ${got.join(", ")}, …; a model of another codebase can't be imported`,
  );
}
