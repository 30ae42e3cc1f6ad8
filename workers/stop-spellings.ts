import type { Tokenizer } from "../models/tokenizer/tokenizer.js";

/**
 * The ways in which a model may write a stop string. A tokenizer without a decoder puts a space between tokens, so that
 * `[/ANSWER]` comes out as `[/ ANSWER ]`; the space before it then belongs to it too. Spaces are all that may differ:
 * where the tokenizer loses more of the text, the model can't write it.
 */
export function spellings(stop: string, tokenizer: Tokenizer): string[] {
  const decoded = tokenizer.decode(tokenizer.encode(stop));
  const respelled = decoded !== stop && stop === stop.trim() && bare(decoded) === bare(stop);
  return respelled ? [stop, decoded, ` ${decoded}`] : [stop];
}

function bare(text: string): string {
  return text.replace(/\s+/g, "");
}
