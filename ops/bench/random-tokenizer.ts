import { BYTE_SYMBOLS, byteSymbols } from "./byte-symbols.js";

const SPECIALS = ["[PAD]", "[UNK]", "[BOS]", "[EOS]", "[QUESTION]", "[/QUESTION]", "[ANSWER]", "[/ANSWER]"];
const HANGUL = { first: 0xac00, count: 11_172 };
const LETTERS = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"];

/**
 * A tokenizer.json of exactly `vocabulary` tokens: byte-level BPE, so that every text tokenizes, whose merges make of
 * Korean and Latin text about as many tokens as a trained one does.
 * @throws RangeError for a vocabulary that it can't make
 */
export function randomTokenizer(vocabulary: number): object {
  const tokens = new Set<string>(BYTE_SYMBOLS);
  const merges: [string, string][] = [];
  const size = () => SPECIALS.length + tokens.size;
  if (vocabulary < size()) throw new RangeError(`expected at least ${size()} tokens, got ${vocabulary}`);
  for (const [left, right] of pairs()) {
    if (size() === vocabulary) break;
    if (tokens.has(left + right)) continue;
    tokens.add(left + right);
    merges.push([left, right]);
  }
  if (size() < vocabulary) throw new RangeError(`expected at most ${size()} tokens, got ${vocabulary}`);
  const vocab = Object.fromEntries([...tokens].map((token, id) => [token, id]));
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: SPECIALS.map((content, index) => ({
      id: tokens.size + index,
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

/** What may be merged, the most useful first; both halves of a pair are bytes or come before it. */
function* pairs(): Generator<[string, string]> {
  const syllables = Array.from({ length: HANGUL.count }, (_, index) =>
    byteSymbols(String.fromCodePoint(HANGUL.first + index)),
  ) as [string, string, string][];
  const space = byteSymbols(" ")[0]!;
  for (const [first, second] of syllables) yield [first, second];
  for (const [first, second, third] of syllables) yield [first + second, third];
  for (const left of LETTERS) for (const right of LETTERS) yield [left, right];
  for (const syllable of syllables) yield [space, syllable.join("")];
}
