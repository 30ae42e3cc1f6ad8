import type { Tokenizer } from "../models/tokenizer/tokenizer.js";
import { UnknownCharacterError } from "../models/tokenizer/unknown-character.js";

/**
 * The ways in which a model may write a stop string. A tokenizer without a decoder puts a space between tokens, so that
 * `[/ANSWER]` comes out as `[/ ANSWER ]`; the space before it then belongs to it too. Spaces are all that may differ:
 * where the tokenizer loses more of the text, the model can't write it.
 */
export function spellings(stop: string, tokenizer: Tokenizer): string[] {
  const decoded = roundTrip(stop, tokenizer);
  const respelled = decoded !== stop && stop === stop.trim() && bare(decoded) === bare(stop);
  return respelled ? [stop, decoded, ` ${decoded}`] : [stop];
}

/** The text as the model would write it; the text itself if it has a character that the model never writes. */
function roundTrip(text: string, tokenizer: Tokenizer): string {
  try {
    return tokenizer.decode(tokenizer.encode(text, false));
  } catch (error) {
    if (error instanceof UnknownCharacterError) return text;
    throw error;
  }
}

function bare(text: string): string {
  return text.replace(/\s+/g, "");
}
