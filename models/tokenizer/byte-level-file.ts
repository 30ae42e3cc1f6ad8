export interface ByteLevelFile {
  /** Ids follow the vocabulary's, in this order. */
  specials: readonly string[];
  /** Ids by token, from 0 without a gap. */
  vocab: Readonly<Record<string, number>>;
  merges: readonly (readonly [string, string])[];
}

/** A tokenizer.json of byte-level BPE, as GPT-2's; for models that are made up. */
export function byteLevelFile({ specials, vocab, merges }: ByteLevelFile): object {
  const size = Object.keys(vocab).length;
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specials.map((content, index) => ({
      id: size + index,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab,
      merges,
    },
  };
}
