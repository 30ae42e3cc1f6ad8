import type { GenerateResult } from "./generate-result.js";

/** The next piece of a text. */
export interface TextPiece {
  text: string;
  /** How many tokens the piece has. */
  tokens: number;
  /** Which of the `n` texts the piece belongs to, from 0. */
  index: number;
}

/** A generation whose text is read as it is generated, once, by one reader. Leaving the loop cancels it. */
export interface GenerationStream extends AsyncIterable<TextPiece> {
  /** Resolves to the same as `generate`; rejects with what the loop would throw. It need not be awaited. */
  readonly result: Promise<GenerateResult>;
}
