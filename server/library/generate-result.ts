/** `stop`: an end-of-sequence token or a stop text came, or the form is complete. `length`: it has `maxTokens`. */
export type FinishReason = "stop" | "length";

/** One text. */
export interface Choice {
  /** Counts from 0. */
  index: number;
  /** The generated text, without the prompt. */
  generated: string;
  /** The prompt and its continuation, as the tokenizer decodes them. */
  fullText: string;
  finishReason: FinishReason;
}

/** Result of a generation: the response of `POST /generate` in camel case. */
export interface GenerateResult extends Omit<Choice, "index"> {
  /** The text that the model saw; with `chat` the prompt in the chat template. */
  prompt: string;
  usage: Usage;
  /** The generation's id in the log. */
  id: string;
  /** The seed that reproduces the text. */
  seed: number;
  /** With `n` above 1, all texts. The first one is also the result itself. */
  choices?: Choice[];
}

/** Counts of tokens read and written. */
export interface Usage {
  promptTokens: number;
  completionTokens: number;
  totalTokens: number;
  promptTokensDetails: {
    /** Prompt tokens that a cache still held, so that they were not computed. */
    cachedTokens: number;
  };
}
