import type { Tokenizer } from "./tokenizer.js";

/** Each token's own text, as it stands in a text; U+FFFD for one that is not whole characters. */
export function spellings(tokenizer: Pick<Tokenizer, "tokenBytes">, ids: readonly number[]): string[] {
  return ids.map((id, at) => tokenizer.tokenBytes(id, at === 0).text ?? "\ufffd");
}
