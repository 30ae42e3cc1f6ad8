import { addedToken, bpeModel, byteLevel, tokenizerJson } from "../tokenizer/tokenizer-json.js";
import { PRE_TOKENIZER_PATTERN, SPECIAL_TOKENS, type Vocabulary } from "./bpe.js";

/** The vocabulary as a Hugging Face `tokenizer.json`: byte level both ways, so that every text comes back as it was. */
export function tokenizerFile({ tokens, merges }: Vocabulary) {
  const bytes = byteLevel({ add_prefix_space: false, use_regex: false });
  return tokenizerJson({
    added_tokens: SPECIAL_TOKENS.map(addedToken),
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: PRE_TOKENIZER_PATTERN }, behavior: "Isolated", invert: false },
        bytes,
      ],
    },
    decoder: bytes,
    model: bpeModel(Object.fromEntries(tokens.map((token, id) => [token, id])), merges),
  });
}
