import type { Fields } from "../../files/fields.js";
import type { GgufMetadata } from "../gguf.js";
import {
  type GgufTokenizer,
  listOf,
  mergesOf,
  refuse,
  type Token,
  type TokenizerFile,
  tokensOf,
} from "./vocabulary.js";

const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const digits = (times: string) =>
  `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}${times}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

/** llama.cpp's names of patterns (`tokenizer.ggml.pre`), which split a text into words. */
const PATTERNS: ReadonlyMap<string, string> = new Map([
  [GPT2, "gpt-2"],
  [digits(""), "qwen2"],
  [digits("{1,3}"), "llama-bpe"],
]);
/** llama.cpp's name for GPT-2's pattern with each digit split off first. */
const SINGLE_DIGITS = "smollm";
/** The pattern that llama.cpp takes where a file names none. */
const OTHER = "default";
/** With this pattern llama.cpp takes a word that is a token as that token, whatever the merges say. */
const WHOLE_WORDS = "llama-bpe";

/** Whether tokens are bytes, written in GPT-2's alphabet. */
export const isByteLevel = ({ preTokenizers }: TokenizerFile) =>
  preTokenizers.some(({ type }) => type === "ByteLevel");

/**
 * A byte-level BPE, which llama.cpp calls `gpt2`.
 * @throws ModelError for one that it has no words for
 */
export function byteLevelTokenizer(file: TokenizerFile, size: number, approximate: boolean): GgufTokenizer {
  const notes: string[] = [];
  const differ = (what: string) => {
    if (!approximate) throw refuse(`${what}; --approximate exports it all the same`);
    notes.push(what);
  };
  const pre = patternName(file.preTokenizers);
  if (pre === OTHER) differ("a pattern of words that llama.cpp has no name for");
  for (const { type } of file.normalizers) {
    if (!/^NF/.test(String(type))) throw refuse(`a normalizer ${String(type)} beside bytes`);
    const what = `the normalization ${String(type)}, which llama.cpp skips`;
    // Most texts are in NFC already.
    if (type === "NFC") notes.push(what);
    else differ(what);
  }
  const merges = mergesOf(file);
  if (file.model.ignore_merges === true && pre !== WHOLE_WORDS) requireMerged(file, merges);
  const unreachable = new Set(listOf(file, "unreachable"));
  const describe = (text: string): Token => ({ text, type: unreachable.has(text) ? "control" : "normal" });
  return { tokens: tokensOf(file, size, describe), metadata: gpt2Metadata(pre, merges), notes };
}

export function gpt2Metadata(pre: string, merges: readonly (readonly [string, string])[]): GgufMetadata {
  return {
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": pre,
    // llama.cpp refuses a file without merges. This merge never applies.
    "tokenizer.ggml.merges": merges.length > 0 ? merges.map((pair) => pair.join(" ")) : ["\u0100 \u0100"],
  };
}

function patternName(steps: readonly Fields[]): string {
  const last = steps.at(-1)!;
  const [first, ...others] = steps.slice(0, -1);
  if (last.type !== "ByteLevel" || others.length > 0)
    throw refuse(`pre-tokenizers ${steps.map(({ type }) => String(type)).join(", ")}`);
  if (last.add_prefix_space !== false) throw refuse("a space before each text");
  const splits = last.use_regex !== false;
  if (first === undefined) {
    if (splits) return PATTERNS.get(GPT2)!;
    throw refuse("bytes without a pattern of words");
  }
  if (first.type === "Digits" && first.individual_digits === true && splits) return SINGLE_DIGITS;
  const { Regex } = (first.pattern ?? {}) as { Regex?: string };
  if (first.type === "Split" && first.behavior === "Isolated" && !splits && Regex !== undefined)
    return PATTERNS.get(Regex.replaceAll("++", "+").replace("]?+", "]?")) ?? OTHER;
  throw refuse(`a pre-tokenizer ${String(first.type)} before bytes`);
}

/** llama.cpp joins by merges alone: it would never find a token that no merge makes. */
function requireMerged({ ids, added }: TokenizerFile, merges: readonly (readonly [string, string])[]): void {
  const made = new Set(merges.map((pair) => pair.join("")));
  const apart = new Set(added.map(({ content }) => content));
  for (const token of ids.keys())
    if ([...token].length > 1 && !made.has(token) && !apart.has(token) && !/^<.*>$/.test(token))
      throw refuse(`the token ${JSON.stringify(token)}, which no merge makes`);
}
