/** Options of a generation: the fields of `POST /generate` in camel case, with the same defaults. */
export interface GenerateOptions {
  /** The text to continue, or with `chat` the question. Of one that is longer than the model's context, its end counts. */
  prompt: string;
  /** Put the prompt into the model's chat template, and stop at the template's terminator, as `POST /chat` does. Default false. */
  chat?: boolean | undefined;
  /** How many tokens to generate at most. Default 256. */
  maxTokens?: number | undefined;
  /** How freely to choose among the likely tokens; 0 always takes the likeliest. Default 0.8. */
  temperature?: number | undefined;
  /** Choose among this many likeliest tokens; 0 among all. Default 50. */
  topK?: number | undefined;
  /** Choose among the likeliest tokens that together have this probability. Default 1, all. */
  topP?: number | undefined;
  /** Choose among tokens that have at least this share of the likeliest one's probability. Default 0, all. */
  minP?: number | undefined;
  /** Choose among tokens whose surprise is nearest to the expected one and that together have this probability. Default 1, all. */
  typicalP?: number | undefined;
  /** Makes tokens of the prompt and the text less likely, above 1. Default 1, off. */
  repetitionPenalty?: number | undefined;
  /** Taken from the logits of tokens of the text, -2 to 2. Default 0. */
  presencePenalty?: number | undefined;
  /** Taken from the logits of tokens of the text once for each time that they came, -2 to 2. Default 0. */
  frequencyPenalty?: number | undefined;
  /** Added to the logits of the tokens with these ids, -100 to 100. */
  logitBias?: Readonly<Record<number, number>> | undefined;
  /** The same seed and options give the same text, whatever else runs. Default random; the result names it. */
  seed?: number | undefined;
  /** A text, or up to 16, that ends the generation and is not part of it. An empty list turns the chat template's off. */
  stop?: string | readonly string[] | undefined;
  /** Neither the end-of-sequence token nor a stop text ends the text before it has so many tokens. Default 0. */
  minTokens?: number | undefined;
  /** Go on past the end-of-sequence token. Default false. */
  ignoreEos?: boolean | undefined;
  /** How many texts to generate, 1 to 16: the first with the seed, the second with the next, … Default 1. */
  n?: number | undefined;
  /** The form that the text has to have, as OpenAI's API has it: any, a JSON object, or JSON that a schema describes. */
  responseFormat?: ResponseFormat | undefined;
  /** The whole text matches this regular expression. */
  regex?: string | undefined;
  /** The whole text follows this EBNF grammar, from its rule `root`. */
  grammar?: string | undefined;
  /** Higher is sooner, -10 to 10. Default 0. */
  priority?: number | undefined;
  /** Seconds after which it is given up. Default none. */
  timeout?: GenerateTimeouts | undefined;
  /** Gives it up when aborted; what awaits it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** The form of a text. */
export type ResponseFormat =
  | { type: "text" }
  | { type: "json_object" }
  | { type: "json_schema"; json_schema: { name?: string; schema: object } };

/** Seconds; what is left out may take forever. */
export interface GenerateTimeouts {
  /** Until it starts. */
  queue?: number | undefined;
  /** Until its first token. */
  firstToken?: number | undefined;
  /** From one token to the next. */
  stall?: number | undefined;
  /** Until its end. */
  total?: number | undefined;
}
