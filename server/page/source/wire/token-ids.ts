import type { Sample, Token } from "./answer.js";
import { askJson } from "./api.js";

/**
 * Looks up the ids of a sample's tokens. The API tells no ids with an output, so its text is tokenized again; a token
 * gets the id only if both agree on where it begins and ends.
 */
export async function withIds({ text, tokens }: Sample): Promise<Token[]> {
  const body = { prompt: text, return_token_strs: true };
  const { tokens: ids, token_strs } = await askJson<{ tokens: number[]; token_strs: string[] }>("/tokenize", {
    method: "POST",
    body,
  });
  return matchIds(text, tokens, ids, token_strs);
}

export function matchIds(text: string, tokens: readonly Token[], ids: number[], pieces: string[]): Token[] {
  const known = new Map<string, number>();
  let start = 0;
  for (const [index, piece] of pieces.entries()) {
    // A part of a character: where it lies can't be told from here on.
    if (!text.startsWith(piece, start) || piece === "") break;
    known.set(`${start} ${piece}`, ids[index]!);
    start += piece.length;
  }
  let at = 0;
  return tokens.map((token) => {
    const id = known.get(`${at} ${token.piece}`) ?? null;
    if (text.startsWith(token.piece, at)) at += token.piece.length;
    return { ...token, id };
  });
}
