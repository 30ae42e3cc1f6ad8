import type { Activation } from "../../architecture.js";
import type { ModelWeights } from "../weights.js";
import type { Settings } from "./settings.js";
import type { TensorReader } from "./tensor-reader.js";

/** An opened checkpoint with its settings. */
export interface Source {
  tensors: TensorReader;
  /** The model's settings, from the config file beside the checkpoint or from the checkpoint; null if neither has any. */
  settings: Settings | null;
  asked: Asked;
}

/** The user's flags, for what the checkpoint doesn't say. Where it says it, the two must agree. */
export interface Asked {
  heads?: number | undefined;
  activation?: Activation | undefined;
}

/** Weights whose tensors have all been taken. */
export type Read = Omit<ModelWeights, "close">;

/**
 * Whether the codebase begins each prompt with a token of its own: always, if the tokenizer is a SentencePiece model, or as the
 * tokenizer's files say.
 */
export type PromptStart = "always" | "sentencepiece" | "files";

/** Checkpoints of one codebase, or of several that name tensors alike. */
export interface Family {
  /** The family's name in messages and documents. */
  readonly name: string;
  /** Default: `files`. */
  readonly promptStart?: PromptStart;
  /** Whether the tensors' names are this family's. Families are asked in turn. */
  is(source: Source): boolean;
  /**
   * Takes all tensors that the family has.
   * @throws ImportError that names the tensor or setting that is wrong, or the flag that is needed
   */
  read(source: Source): Read;
}
