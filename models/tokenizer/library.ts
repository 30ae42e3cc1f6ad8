import * as untyped from "@huggingface/tokenizers";

/**
 * The parts of @huggingface/tokenizers that we use. Its own types don't resolve under Node's module resolution.
 */
interface Library {
  Tokenizer: new (
    json: object,
    config: object,
  ) => {
    model: { bpe(word: string): string[] };
    splitter_unnormalized: { split(text: string): string[] };
  };
  SequencePreTokenizer: new (json: object) => { pre_tokenize(text: string): string[] };
}

export const { Tokenizer, SequencePreTokenizer } = untyped as unknown as Library;
