import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { brotliDecompress } from "node:zlib";
import { BYTE_ALPHABET } from "../../tokenizer/byte-alphabet.js";
import type { Converted } from "./converted.js";
import { convertVocabMerges } from "./vocab-merges.js";

/** What `--tokenizer` takes in place of a file, as tiktoken and Hugging Face name it. */
export const GPT2 = "gpt2";

/** In the package's own folder, not in dist. */
const MERGES = new URL("../../../../models/import/tokenizer/gpt2/vocab.bpe.br", import.meta.url);
const END = "<|endoftext|>";

/** GPT-2's tokenizer, as `tiktoken.get_encoding("gpt2").encode_ordinary`: 50,257 tokens, and `<|endoftext|>` is found in no text. */
export async function gpt2Tokenizer(): Promise<Converted> {
  const merges = await readVocabBpe();
  return convertVocabMerges(GPT2, idsOf(merges), GPT2, merges, false);
}

/** OpenAI's vocab.bpe: a line for each merge. */
export async function readVocabBpe(): Promise<string> {
  return (await promisify(brotliDecompress)(await readFile(MERGES))).toString();
}

/** Ids by token, as in OpenAI's encoder.json: bytes that print, the others, a token for each merge, and the end. */
export function idsOf(vocabBpe: string): Record<string, number> {
  const merged = vocabBpe.trimEnd().split("\n").slice(1);
  const bytes = BYTE_ALPHABET.toSorted((a, b) => a.charCodeAt(0) - b.charCodeAt(0));
  const tokens = [...bytes, ...merged.map((pair) => pair.replace(" ", "")), END];
  return Object.fromEntries(tokens.map((token, id) => [token, id]));
}
