import type { Sample, Token } from "./answer.js";
import { askJson } from "./api.js";
import { matchIds } from "./match-ids.js";

/**
 * Looks up the ids of a sample's tokens. The API tells no ids with an output, so its text is tokenized again; a token
 * gets an id only where both agree.
 */
export async function withIds({ text, tokens }: Sample): Promise<Token[]> {
  const body = { prompt: text, return_token_strs: true, add_special_tokens: false };
  const { tokens: ids, token_strs } = await askJson<{ tokens: number[]; token_strs: string[] }>("/tokenize", {
    method: "POST",
    body,
  });
  return matchIds(tokens, ids, token_strs);
}
