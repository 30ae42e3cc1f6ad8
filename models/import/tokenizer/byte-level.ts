import type { Fields } from "../../files/fields.js";
import { BYTE_ALPHABET } from "../../tokenizer/byte-alphabet.js";
import { addedToken, bpeModel, byteLevel, tokenizerJson } from "../../tokenizer/tokenizer-json.js";
import { ImportError } from "../checkpoint/error.js";
import { mergesOf, TooManySteps } from "./merges.js";

const GPT2_PATTERN = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** tiktoken's own spellings of GPT-2's pattern. */
const GPT2_SPELLINGS = [
  GPT2_PATTERN,
  "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  "'(?:[sdmt]|ll|ve|re)| ?\\p{L}++| ?\\p{N}++| ?[^\\s\\p{L}\\p{N}]++|\\s++$|\\s+(?!\\S)|\\s",
];

export interface ByteLevelParts {
  /** Ids by token, in GPT-2's alphabet of bytes. */
  vocab: ReadonlyMap<string, number>;
  merges: readonly (readonly [string, string])[];
  /** A word that is a token is that token, whatever the merges say. */
  ignoreMerges: boolean;
  /** The pattern that splits a text into words; GPT-2's by default. */
  pattern?: string;
  special: ReadonlyMap<string, number>;
  /** Whether a special token's name in a text is encoded as that token. If not, it is text like any other. */
  findsSpecial: boolean;
}

/** The tokenizer.json of tokens that are bytes. */
export function byteLevelFields({
  vocab,
  merges,
  ignoreMerges,
  pattern,
  special,
  findsSpecial,
}: ByteLevelParts): Fields {
  const plain = pattern === undefined || GPT2_SPELLINGS.includes(pattern);
  const options = { ignore_merges: ignoreMerges };
  const names = [...special.keys()];
  return tokenizerJson({
    added_tokens: findsSpecial ? [...special].map(([content, id]) => addedToken(content, id)) : [],
    pre_tokenizer: plain
      ? byteLevel({ add_prefix_space: false, use_regex: true })
      : {
          type: "Sequence",
          pretokenizers: [
            { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false },
            byteLevel({ add_prefix_space: false, use_regex: false }),
          ],
        },
    decoder: byteLevel({ add_prefix_space: false, use_regex: true }),
    model: bpeModel(
      Object.fromEntries(findsSpecial ? vocab : [...vocab, ...special]),
      merges,
      findsSpecial ? options : { ...options, jai: { unreachable: names } },
    ),
  });
}

/**
 * The same of tokens' bytes and ranks, as tiktoken has them.
 * @throws ImportError
 */
export function rankedFields(
  file: string,
  ranks: readonly (readonly [Uint8Array, number])[],
  parts: Pick<ByteLevelParts, "pattern" | "special" | "findsSpecial">,
): Fields {
  const vocab = new Map<string, number>();
  const seen = new Set<number>();
  for (const [bytes, rank] of ranks) {
    const token = Array.from(bytes, (byte) => BYTE_ALPHABET[byte]!).join("");
    const fits = Number.isInteger(rank) && rank >= 0 && rank < 2 ** 24 && token !== "";
    if (!fits || vocab.has(token) || seen.has(rank))
      throw new ImportError(
        file,
        `expected each token and each rank once, got rank ${rank} for ${JSON.stringify(token)}`,
      );
    vocab.set(token, rank);
    seen.add(rank);
  }
  const missing = BYTE_ALPHABET.findIndex((symbol) => !vocab.has(symbol));
  if (missing >= 0)
    throw new ImportError(file, `expected a token for each of the 256 bytes, got none for byte ${missing}`);
  try {
    return byteLevelFields({ ...parts, vocab, merges: mergesOf(vocab), ignoreMerges: true });
  } catch (error) {
    if (!(error instanceof TooManySteps)) throw error;
    throw new ImportError(
      file,
      "expected tokens that are joined of two others, got ones far too long for that",
    );
  }
}
