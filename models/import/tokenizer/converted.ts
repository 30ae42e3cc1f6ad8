import type { Fields } from "../../files/fields.js";

export type TokenizerKind = "tokenizer.json" | "sentencepiece" | "tiktoken" | "vocab-merges" | "characters";

/** A tokenizer of any format, as tokenizer.json has it. */
export interface ConvertedTokenizer {
  kind: TokenizerKind;
  /** The parsed contents of a tokenizer.json. */
  tokenizerJson: Fields;
  /** The same as text: the file's own, if it is a tokenizer.json. */
  text: string;
  /** The token that begins every text of the model, where the file names one. */
  bos: string | null;
  /** Tokens that end an answer, where the file names any; the most usual first. */
  eos: string[];
}

/** Settings that a format's own file has. */
export type Converted = Omit<ConvertedTokenizer, "text"> & { text?: string };
