import { mergesOf as pairsOfRanks, TooManySteps } from "../../import/tokenizer/merges.js";
import { tokenByte } from "../../tokenizer/byte-fallback.js";
import { spaces } from "./spaces.js";
import {
  type GgufTokenizer,
  listOf,
  mergesOf,
  refuse,
  type Token,
  type TokenizerFile,
  tokensOf,
} from "./vocabulary.js";

/**
 * A BPE of SentencePiece's kind, which llama.cpp calls `llama`: it joins the two neighbours whose joint token has the
 * highest score.
 * @throws ModelError for one that it encodes otherwise
 */
export function sentencePieceTokenizer(
  file: TokenizerFile,
  size: number,
  approximate: boolean,
): GgufTokenizer {
  const { model, ids } = file;
  const { hasPrefix, trims, others } = spaces(file);
  if (others.length > 0)
    throw refuse(`a normalizer ${String(others[0]!.type)}, which changes more than spaces`);
  const trimming = "extra spaces that are removed, which llama.cpp keeps";
  if (trims && !approximate) throw refuse(`${trimming}; --approximate exports it all the same`);
  if (model.byte_fallback !== true) throw refuse("a tokenizer without tokens for unknown characters' bytes");
  const scores = scoresOf(file);
  const unknown = model.unk_token;
  const unreachable = new Set(listOf(file, "unreachable"));
  const symbols = new Set(listOf(file, "symbols"));
  const describe = (text: string): Token => {
    const score = scores.get(text);
    if (text === unknown) return { text, type: "unknown", score: 0 };
    if (tokenByte(text) !== null) return { text, type: "byte", score: 0 };
    if (symbols.has(text)) return { text, type: "user", score: 0 };
    if (unreachable.has(text)) return { text, type: "control", score: 0 };
    // A token that no pair makes is a single character, or a control token such as <s>.
    if (score === undefined && [...text].length > 1) return { text, type: "control", score: 0 };
    return { text, type: "normal", score: score ?? -(scores.size + 1) };
  };
  const tokens = tokensOf(file, size, describe);
  const unknownId = typeof unknown === "string" ? ids.get(unknown) : undefined;
  if (unknownId === undefined) throw refuse("a tokenizer without an unknown token");
  // Many files call all added tokens special. llama.cpp has a type of its own for the unknown token.
  tokens[unknownId] = { text: String(unknown), type: "unknown", score: 0 };
  return {
    tokens,
    metadata: {
      "tokenizer.ggml.model": "llama",
      "tokenizer.ggml.pre": "default",
      "tokenizer.ggml.scores": Float32Array.from(tokens, ({ score }) => score ?? 0),
      "tokenizer.ggml.unknown_token_id": unknownId,
      "tokenizer.ggml.add_space_prefix": hasPrefix,
    },
    notes: trims ? [trimming] : [],
  };
}

/**
 * A score for each joint token, such that llama.cpp joins in the order of the merges. It joins any two tokens whose join is one;
 * that comes to the same where a token's merges are neighbours in the list, and the pair is among them by which its own text
 * is joined last.
 */
function scoresOf(file: TokenizerFile): Map<string, number> {
  const pairs = mergesOf(file);
  const ranks = new Map<string, number>();
  let last = "";
  for (const [left, right] of pairs) {
    const joined = left + right;
    if (joined !== last && ranks.has(joined))
      throw refuse(`merges that make ${JSON.stringify(joined)} at two places of the list`);
    if (!ranks.has(joined)) ranks.set(joined, ranks.size);
    last = joined;
  }
  const known = new Set(pairs.map(([left, right]) => `${left} ${right}`));
  const missing = lastPairs(ranks).find(
    ([left, right]) => isToken(file, left) && isToken(file, right) && !known.has(`${left} ${right}`),
  );
  if (missing !== undefined)
    throw refuse(
      `no merge of ${missing.map((part) => JSON.stringify(part)).join(" and ")}, whose join is a token`,
    );
  return new Map([...ranks].map(([token, rank]) => [token, -rank]));
}

function lastPairs(ranks: ReadonlyMap<string, number>): [string, string][] {
  try {
    return pairsOfRanks(ranks);
  } catch (error) {
    throw error instanceof TooManySteps ? refuse("tokens that are far too long") : error;
  }
}

const isToken = ({ ids }: TokenizerFile, text: string) => ids.has(text);
