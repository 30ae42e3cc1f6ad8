import type { Fields } from "../../files/fields.js";

export type TokenizerKind =
  | "tokenizer.json"
  | "sentencepiece"
  | "tiktoken"
  | "vocab-merges"
  | "characters";

/** A tokenizer of any format, as tokenizer.json has it. */
export interface ConvertedTokenizer {
  kind: TokenizerKind;
  /** The parsed contents of a tokenizer.json. */
  tokenizerJson: Fields;
  /** The token that begins every text of the model, where the file names one. */
  bos: string | null;
  /** Tokens that end an answer, as far as the file names any; the most usual first. */
  eos: string[];
}

/** A whole tokenizer.json around its model. */
export function tokenizerFields(parts: Fields & { model: Fields }): Fields {
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    ...parts,
  };
}

export function specialToken(id: number, content: string): Fields {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
}

/** A `model` of byte-pair encoding. */
export function bpeFields(
  vocab: ReadonlyMap<string, number>,
  merges: readonly (readonly [string, string])[],
  options: Fields = {},
): Fields {
  return {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    vocab: Object.fromEntries(vocab),
    merges,
    ...options,
  };
}
