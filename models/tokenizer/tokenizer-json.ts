/** Parts of a Hugging Face `tokenizer.json`; those that are left out are off. */
export interface TokenizerParts<Model> {
  added_tokens?: readonly object[];
  normalizer?: object | null;
  pre_tokenizer?: object | null;
  post_processor?: object | null;
  decoder?: object | null;
  model: Model;
}

/** A `tokenizer.json`, its keys in the order in which the Rust library writes them. */
export function tokenizerJson<Model>({
  added_tokens = [],
  normalizer = null,
  pre_tokenizer = null,
  post_processor = null,
  decoder = null,
  model,
}: TokenizerParts<Model>) {
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens,
    normalizer,
    pre_tokenizer,
    post_processor,
    decoder,
    model,
  };
}

/** A special token that is found anywhere in a text. */
export function addedToken(content: string, id: number) {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
}

/** A byte-level pre-tokenizer, post-processor or decoder; with `use_regex` it cuts texts by GPT-2's pattern. */
export function byteLevel(options: { add_prefix_space: boolean; use_regex: boolean }) {
  const { add_prefix_space, use_regex } = options;
  return { type: "ByteLevel", add_prefix_space, trim_offsets: true, use_regex };
}

/** A model of byte-pair encoding: ids by token, and the pairs that merge, the most urgent first. */
export function bpeModel(
  vocab: Readonly<Record<string, number>>,
  merges: readonly (readonly [string, string])[],
  options: object = {},
) {
  return {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    ...options,
    vocab,
    merges,
  };
}
