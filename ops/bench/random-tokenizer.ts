import { byteLevelFile } from "../../models/fixtures/byte-level-file.js";
import { BYTE_ALPHABET, toSymbols } from "../../models/tokenizer/byte-alphabet.js";

const SPECIALS = ["[PAD]", "[UNK]", "[BOS]", "[EOS]", "[QUESTION]", "[/QUESTION]", "[ANSWER]", "[/ANSWER]"];
const HANGUL = { first: 0xac00, count: 11_172 };
const LETTERS = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"];

/**
 * A tokenizer.json of exactly `vocabulary` tokens: byte-level BPE, so that every text tokenizes, whose merges make of
 * Korean and Latin text about as many tokens as a trained one does.
 * @throws RangeError for a vocabulary that it can't make
 */
export function randomTokenizer(vocabulary: number): object {
  const tokens = new Set<string>(BYTE_ALPHABET);
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
  return byteLevelFile({ specials: SPECIALS, vocab, merges });
}

/** What may be merged, the most useful first; both halves of a pair are bytes or come before it. */
function* pairs(): Generator<[string, string]> {
  const syllables = Array.from({ length: HANGUL.count }, (_, index) =>
    Array.from(toSymbols(String.fromCodePoint(HANGUL.first + index))),
  ) as [string, string, string][];
  const space = toSymbols(" ");
  for (const [first, second] of syllables) yield [first, second];
  for (const [first, second, third] of syllables) yield [first + second, third];
  for (const left of LETTERS) for (const right of LETTERS) yield [left, right];
  for (const syllable of syllables) yield [space, syllable.join("")];
}
