import { ConstraintError } from "./constraint.js";
import type { TokenLogprob } from "./sampling/logprobs.js";

/** `length`: `maxTokens` were generated. `stop`: the end-of-sequence token, a stop string, or the end of what the grammar allows. */
export type FinishReason = "stop" | "length";

/** How a sequence left the engine. */
export type Outcome =
  | {
      type: "finished";
      reason: FinishReason;
      /** The decoded continuation. */
      generated: string;
      /** The decoded prompt and continuation. */
      fullText: string;
      promptTokens: number;
      completionTokens: number;
      /** Of the prompt's tokens, those that were not computed since the cache still held them. */
      cachedTokens: number;
      /** From the worker's receipt of the task to its first token, or to its end where it has none, in milliseconds. */
      firstTokenMs: number;
      /** One for each token of the completion, where asked for. */
      logprobs?: TokenLogprob[];
      /** One for each token of the prompt, where asked for; null for the first, and for those before the context window. */
      promptLogprobs?: (TokenLogprob | null)[];
    }
  /** With the tokens that it has written until then. */
  | { type: "cancelled"; completionTokens: number }
  /** `form`: it is the request's own fault, whose text can't be held to the form that it asks for. */
  | { type: "failed"; message: string; form: boolean };

/** The outcome of a sequence that an error ended. */
export function failure(error: unknown): Outcome {
  const message = error instanceof Error ? error.message : String(error);
  return { type: "failed", message, form: error instanceof ConstraintError };
}
