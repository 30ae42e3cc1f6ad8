import * as untyped from "@huggingface/tokenizers";

/**
 * The part of transformers.js' tokenizer that is used. The package's own declarations don't resolve under Node's
 * rules.
 */
interface Library {
  Tokenizer: new (
    json: object,
    config: object,
  ) => {
    encode(text: string): { ids: number[] };
    model: { _call(words: string[]): string[]; bpe(word: string): string[] };
    splitter_unnormalized: { split(text: string): string[] };
  };
  SequencePreTokenizer: new (json: object) => { pre_tokenize(text: string): string[] };
}

export const { Tokenizer, SequencePreTokenizer } = untyped as unknown as Library;
