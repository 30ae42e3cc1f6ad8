import { finite, readable, type TokenRow } from "./token-rows.js";

/** Log-probabilities of a text completion: lists with one element per token. */
export interface CompletionLogprobs {
  tokens: string[];
  token_logprobs: (number | null)[];
  top_logprobs: (Record<string, number> | null)[];
  text_offset: number[];
}

export function completionLogprobs(rows: readonly TokenRow[]): CompletionLogprobs {
  return {
    tokens: rows.map((row) => nameOf(row, row.id)),
    token_logprobs: rows.map(({ logprob }) => (logprob === null ? null : finite(logprob))),
    top_logprobs: rows.map(likeliest),
    text_offset: rows.map(({ start }) => start),
  };
}

/** The likeliest tokens, and the token itself even if it is not among them. */
function likeliest(row: TokenRow): Record<string, number> | null {
  if (row.logprob === null || row.top === null) return null;
  const all: [string, number][] = row.top.map(([id, logprob]) => [nameOf(row, id), finite(logprob)]);
  return Object.fromEntries([...all, [nameOf(row, row.id), finite(row.logprob)]]);
}

/** A token's name as a key of `top_logprobs`. Byte tokens get a prefix, so that they can't collide with texts. */
function nameOf(row: TokenRow, id: number): string {
  const token = row.write(id);
  return token.text === null ? `bytes:${readable(token)}` : token.text;
}

/** Log-probabilities of a chat: one entry per token. */
export interface ChatLogprobs {
  content: (ChatToken & { top_logprobs: ChatToken[] })[];
  refusal: null;
}

interface ChatToken {
  token: string;
  logprob: number;
  /** UTF-8 bytes; null for a special token, which has no text. */
  bytes: number[] | null;
}

export function chatLogprobs(rows: readonly TokenRow[]): ChatLogprobs {
  return {
    content: rows.map((row) => ({
      ...chatToken(row, row.id, row.logprob!),
      top_logprobs: row.top!.map(([id, logprob]) => chatToken(row, id, logprob)),
    })),
    refusal: null,
  };
}

function chatToken(row: TokenRow, id: number, logprob: number): ChatToken {
  const token = row.write(id);
  return { token: readable(token), logprob: finite(logprob), bytes: token.bytes && [...token.bytes] };
}
