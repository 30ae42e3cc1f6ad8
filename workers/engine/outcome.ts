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
      /** Tokens of the prompt that were not computed, since the cache still held them. */
      cachedTokens: number;
      /** Tokens that were drafted for the text, and those of them that are in it. */
      draftedTokens: number;
      acceptedTokens: number;
      /** From the worker's receipt of the task to its first token, or to its end if it has none, in milliseconds. */
      firstTokenMs: number;
      /** One for each token of the completion, if asked for. */
      logprobs?: TokenLogprob[];
      /**
       * One for each token of the prompt, if asked for; null for the first, and for those before the context window.
       */
      promptLogprobs?: (TokenLogprob | null)[];
    }
  | {
      type: "cancelled";
      /** Tokens of the prompt that were computed: all once it has been read, whatever came from the cache. */
      promptTokens: number;
      /** Tokens that it had written. */
      completionTokens: number;
    }
  /** `form`: the request is at fault, since its text can't be held to the form that it asks for. */
  | { type: "failed"; message: string; form: boolean };

/** The outcome of a sequence that an error ended. */
export function failure(error: unknown): Outcome {
  const message = error instanceof Error ? error.message : String(error);
  return { type: "failed", message, form: error instanceof ConstraintError };
}
