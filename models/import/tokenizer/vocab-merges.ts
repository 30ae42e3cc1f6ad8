import { shown } from "../../files/fields.js";
import { BYTE_ALPHABET } from "../../tokenizer/byte-alphabet.js";
import { ImportError } from "../checkpoint/error.js";
import { byteLevelFields } from "./byte-level.js";
import type { Converted } from "./converted.js";

/** Names of the pair's files, OpenAI's and Hugging Face's. */
export const PAIRS = [
  ["vocab.json", "merges.txt"],
  ["encoder.json", "vocab.bpe"],
] as const;

/**
 * GPT-2's form: ids by token, and lines of two tokens that are joined.
 * @param findsSpecial whether special tokens are found in texts, as Hugging Face's tokenizers do and OpenAI's don't
 * @throws ImportError
 */
export function convertVocabMerges(
  vocabFile: string,
  ids: Readonly<Record<string, unknown>>,
  mergesFile: string,
  mergesText: string,
  findsSpecial: boolean,
): Converted {
  const vocab = new Map<string, number>();
  for (const [token, id] of Object.entries(ids)) {
    if (typeof id !== "number")
      throw new ImportError(vocabFile, `expected an id for ${shown(token)}, got ${shown(id)}`);
    vocab.set(token, id);
  }
  const missing = BYTE_ALPHABET.findIndex((symbol) => !vocab.has(symbol));
  if (missing >= 0)
    throw new ImportError(
      vocabFile,
      `expected a token for each of the 256 bytes, got none for byte ${missing}`,
    );
  const merges: [string, string][] = [];
  for (const [index, line] of mergesText.split("\n").entries()) {
    // The first line may say the file's version.
    if (line.trim() === "" || (index === 0 && line.startsWith("#version"))) continue;
    const pair = line.replace(/\r$/, "").split(" ");
    const known = pair.length === 2 && pair.every((part) => vocab.has(part)) && vocab.has(pair.join(""));
    if (!known)
      throw new ImportError(
        mergesFile,
        `expected two tokens to join in line ${index + 1}, got ${shown(line)}`,
      );
    merges.push(pair as [string, string]);
  }
  const names = ["<|endoftext|>", "<|im_end|>"].filter((name) => vocab.has(name));
  // Tokens that no merge makes and that are written as no byte is are special ones, such as <|endoftext|>.
  const made = new Set<string>(merges.map((pair) => pair.join("")));
  const special = new Map(
    [...vocab].filter(([token]) => [...token].length > 1 && !made.has(token) && /^<.+>$/.test(token)),
  );
  return {
    kind: "vocab-merges",
    tokenizerJson: byteLevelFields({ vocab, merges, ignoreMerges: false, special, findsSpecial }),
    bos: null,
    eos: names,
  };
}
