import { toSymbols } from "../../tokenizer/byte-alphabet.js";
import { gpt2Metadata } from "./byte-level.js";
import { type GgufTokenizer, mergesOf, type TokenizerFile, tokensOf } from "./vocabulary.js";

/** Whether each token is one character, and nothing is joined. */
export const isCharacters = (file: TokenizerFile) =>
  [...file.ids.keys()].every((token) => [...token].length === 1) &&
  mergesOf(file).length === 0 &&
  file.normalizers.length + file.preTokenizers.length + file.added.length === 0;

/**
 * A model of single characters. llama.cpp has none, but a byte-level BPE that joins each character's bytes, and nothing
 * else, is the same. It drops unknown characters.
 */
export function charactersTokenizer(file: TokenizerFile, size: number): GgufTokenizer {
  const merges = new Map<string, [string, string]>();
  for (const character of file.ids.keys()) {
    const bytes = toSymbols(character);
    // Bytes are joined from the left. That is unambiguous: no character's first byte occurs inside another character.
    for (let end = 2; end <= bytes.length; end++)
      merges.set(bytes.slice(0, end), [bytes.slice(0, end - 1), bytes[end - 1]!]);
  }
  return {
    tokens: tokensOf(file, size, (text) => ({ text: toSymbols(text), type: "normal" })),
    metadata: gpt2Metadata("gpt-2", [...merges.values()]),
    notes: [],
  };
}
