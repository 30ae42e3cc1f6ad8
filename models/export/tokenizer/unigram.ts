import type { Fields } from "../../files/fields.js";
import { spaces } from "./spaces.js";
import {
  type GgufTokenizer,
  listOf,
  refuse,
  type Token,
  type TokenizerFile,
  tokensOf,
} from "./vocabulary.js";

/**
 * A Unigram, which llama.cpp calls `t5`: of all ways to cut a text into tokens, the one with the greatest sum of scores.
 * @throws ModelError for one that it encodes otherwise
 */
export function unigramTokenizer(file: TokenizerFile, size: number, approximate: boolean): GgufTokenizer {
  const { model } = file;
  if (model.byte_fallback === true) throw refuse("a Unigram tokenizer that falls back to bytes");
  const { hasPrefix, trims, others } = spaces(file);
  const { charsmap, isExact, kept } = charsmapOf(others);
  const notes: string[] = [];
  if (!isExact) {
    const what =
      "a normalizer Precompiled that replaces character by character, where llama.cpp takes the longest match";
    if (!approximate) throw refuse(`${what}; --approximate exports it all the same`);
    notes.push(what);
  }
  const scores = new Map(model.vocab as [string, number][]);
  const unknown = Number(model.unk_id);
  const unreachable = new Set(listOf(file, "unreachable"));
  const symbols = new Set(kept);
  const tokens = tokensOf(file, size, (text, id): Token => {
    const type = symbols.has(text) ? "user" : unreachable.has(text) ? "control" : "normal";
    return { text, type: id === unknown ? "unknown" : type, score: scores.get(text)! };
  });
  return {
    tokens,
    metadata: {
      "tokenizer.ggml.model": "t5",
      "tokenizer.ggml.pre": "default",
      "tokenizer.ggml.scores": Float32Array.from(tokens, ({ score }) => score ?? 0),
      "tokenizer.ggml.unknown_token_id": unknown,
      "tokenizer.ggml.add_space_prefix": hasPrefix,
      "tokenizer.ggml.remove_extra_whitespaces": trims,
      ...(charsmap && { "tokenizer.ggml.precompiled_charsmap": charsmap }),
    },
    notes,
  };
}

interface Replacements {
  /** SentencePiece's table. */
  charsmap: Uint8Array | null;
  /** Whether the table is read as SentencePiece reads it. */
  isExact: boolean;
  /** The user's symbols, in which nothing is replaced. */
  kept: string[];
}

/** @throws ModelError for any other change of a text */
function charsmapOf(steps: readonly Fields[]): Replacements {
  const [step, ...others] = steps;
  if (step === undefined) return { charsmap: null, isExact: true, kept: [] };
  const { type, precompiled_charsmap: table, match, kept = [] } = step;
  if (type !== "Precompiled" || typeof table !== "string" || others.length > 0)
    throw refuse(
      `a normalizer ${String((type === "Precompiled" ? others[0] : step)?.type)} of a Unigram tokenizer`,
    );
  return {
    charsmap: new Uint8Array(Buffer.from(table, "base64")),
    isExact: match === "longest",
    kept: kept as string[],
  };
}
