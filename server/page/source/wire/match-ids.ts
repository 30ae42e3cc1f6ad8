import type { Token } from "./answer.js";

/** How the API writes a part of a character: with an output as bytes, and from /tokenize as U+FFFD. */
const PART = /\\x[0-9a-f]{2}/;
const isSame = (token: Token, piece: string) =>
  token.piece === piece || (PART.test(token.piece) && piece.includes("\ufffd"));

/**
 * Gives tokens the ids of the pieces that the tokenizer makes of the same text: from the start up to where they differ,
 * and from the end back to there. A model may spell a text otherwise than its tokenizer does.
 * @param pieces the strings of `ids`
 */
export function matchIds(
  tokens: readonly Token[],
  ids: readonly number[],
  pieces: readonly string[],
): Token[] {
  const matched = [...tokens];
  const give = (at: number, piece: number) => {
    const fits =
      matched[at] !== undefined && pieces[piece] !== undefined && isSame(matched[at], pieces[piece]);
    if (fits) matched[at] = { ...matched[at]!, id: ids[piece]! };
    return fits;
  };
  let start = 0;
  while (give(start, start)) start++;
  // The token that ended the output is no part of its text.
  const shift =
    tokens.length - pieces.length > 1 || tokens.length < pieces.length ? 0 : tokens.length - pieces.length;
  for (let piece = pieces.length - 1; piece > start; piece--)
    if (!give(tokens.length - shift - (pieces.length - piece), piece)) break;
  return matched;
}
