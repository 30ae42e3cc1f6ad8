/** Options of a generation: the fields of `POST /generate` in camel case, with the same defaults. */
export interface GenerateOptions {
  /** The text to continue, or with `chat` the question. Only its end counts if it exceeds the context. */
  prompt: string;
  /** Puts the prompt into the model's chat template and stops at its terminator, as `POST /chat` does. Default false. */
  chat?: boolean | undefined;
  /** The most tokens to generate. Default 256. */
  maxTokens?: number | undefined;
  /** How freely to choose among the likely tokens; 0 always takes the likeliest. Default 0.8. */
  temperature?: number | undefined;
  /** Choose among this many likeliest tokens; 0 among all. Default 50. */
  topK?: number | undefined;
  /** Choose among the likeliest tokens that together have this probability. Default 1, all. */
  topP?: number | undefined;
  /** Choose among tokens that have at least this share of the likeliest one's probability. Default 0, all. */
  minP?: number | undefined;
  /** Choose among tokens of nearly the expected surprise, up to this total probability. Default 1, all. */
  typicalP?: number | undefined;
  /** Above 1 makes tokens less likely that the prompt or the text already has. Default 1, off. */
  repetitionPenalty?: number | undefined;
  /** Subtracted from the logits of tokens that the text already has, -2 to 2. Default 0. */
  presencePenalty?: number | undefined;
  /** Subtracted from a token's logit once for each time that the text already has it, -2 to 2. Default 0. */
  frequencyPenalty?: number | undefined;
  /** Added to the logits of the tokens with these ids, -100 to 100. */
  logitBias?: Readonly<Record<number, number>> | undefined;
  /** The same seed and options give the same text, whatever else runs. Default random; the result has it. */
  seed?: number | undefined;
  /** One text or up to 16 that end the generation and are left out. An empty list turns off the chat template's. */
  stop?: string | readonly string[] | undefined;
  /** No end-of-sequence token or stop text ends the text before it has this many tokens. Default 0. */
  minTokens?: number | undefined;
  /** Go on past the end-of-sequence token. Default false. */
  ignoreEos?: boolean | undefined;
  /** How many texts to generate, 1 to 16, with consecutive seeds from `seed` on. Default 1. */
  n?: number | undefined;
  /** The form of the text, as in OpenAI's API: any, a JSON object, or JSON that matches a schema. */
  responseFormat?: ResponseFormat | undefined;
  /** A regular expression that the whole text must match. */
  regex?: string | undefined;
  /** An EBNF grammar that the whole text must follow, from its rule `root`. */
  grammar?: string | undefined;
  /** Priority in the queue, -10 to 10; higher starts sooner. Default 0. */
  priority?: number | undefined;
  /** Time limits after which the generation is cancelled. Default none. */
  timeout?: GenerateTimeouts | undefined;
  /** Cancels the generation when aborted; its promise rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** The form of a text. */
export type ResponseFormat =
  | { type: "text" }
  | { type: "json_object" }
  | { type: "json_schema"; json_schema: { name?: string; schema: object } };

/** Time limits in seconds. A missing one is unlimited. */
export interface GenerateTimeouts {
  /** Until the generation starts. */
  queue?: number | undefined;
  /** Until the first token. */
  firstToken?: number | undefined;
  /** From one token to the next. */
  stall?: number | undefined;
  /** Until the generation ends. */
  total?: number | undefined;
}
