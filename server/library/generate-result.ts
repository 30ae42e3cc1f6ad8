/** `stop`: the end-of-sequence token or a stop text came, or the form is complete. `length`: `maxTokens` were generated. */
export type FinishReason = "stop" | "length";

/** One text. */
export interface Choice {
  /** 0 is the first. */
  index: number;
  /** The continuation alone. */
  generated: string;
  /** The prompt and its continuation, as the tokenizer decodes them. */
  fullText: string;
  finishReason: FinishReason;
}

/** Result of a generation: the answer of `POST /generate` in camel case. */
export interface GenerateResult extends Omit<Choice, "index"> {
  /** The text that the model saw; with `chat` the prompt in the chat template. */
  prompt: string;
  usage: Usage;
  /** Its id in the log. */
  id: string;
  /** The seed that gives the same again. */
  seed: number;
  /** With `n` above 1 all texts, of which the result's own is the first. */
  choices?: Choice[];
}

/** Tokens that were read and written. */
export interface Usage {
  promptTokens: number;
  completionTokens: number;
  totalTokens: number;
  promptTokensDetails: {
    /** Of the prompt's tokens, those that were not computed since a cache still held them. */
    cachedTokens: number;
  };
}
