import type { GenerateResult } from "./generate-result.js";

/** Text as it comes. */
export interface TextPiece {
  /** The text that follows. */
  text: string;
  /** How many tokens it is of. */
  tokens: number;
  /** Which of `n` texts it belongs to; 0 is the first. */
  index: number;
}

/** A generation whose text is read while it comes: once, by one reader. A reader that leaves the loop gives it up. */
export interface GenerationStream extends AsyncIterable<TextPiece> {
  /** The whole, as `generate` gives it; rejects with what the loop would throw. It need not be awaited. */
  readonly result: Promise<GenerateResult>;
}
