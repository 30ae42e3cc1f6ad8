import type { ModelShape } from "../../../models/shape.js";

/** Where prompts may be cut for prefill, and how many of a text's rows another text can take over. */
export interface Grid {
  /**
   * Tokens of the chunk that begins at `start`.
   * @param most how many the engine would feed
   */
  chunk(start: number, most: number): number;
  /** Rows of a run that feeds `tokens` of a sequence; those past them are padding. */
  padded(tokens: number): number;
  /** How many of a prompt's first `tokens` rows are the same whoever computed them. */
  reusable(tokens: number): number;
  /** Whether the row of a generated token is that of the same token in a prompt. */
  readonly keepsGenerated: boolean;
  /** Whether sequences of one run may feed different numbers of tokens. */
  readonly isFree: boolean;
}

/**
 * Chunks are small, as running sequences wait while one is computed. One of 16 costs about half the decode step of
 * 16 sequences. Smaller ones would cost a lone prompt more than twice what it costs in one piece.
 */
const CHUNK = 16;
/** The first has no past to attend to, and most short prompts fit into it. */
const FIRST_CHUNK = 32;
/** A vector register of float32: padding to a multiple of it changes no bit of a sum. */
const PADDING = 16;

/**
 * The grid of float32. A chunk's start decides the order of attention's sums, and so the last bits of its rows. Hence all
 * prompts are cut alike, counted from the window's start, whatever else runs: a request's numbers don't depend on the load,
 * and the rows of a whole chunk are the same whoever computed them. (The row of a generated token differs from its row in a
 * chunk, since it was a chunk of its own.)
 */
export const FIXED: Grid = {
  chunk: (start) => (start < FIRST_CHUNK ? FIRST_CHUNK : CHUNK),
  padded: (tokens) => Math.ceil(tokens / PADDING) * PADDING,
  reusable: (tokens) => (tokens < FIRST_CHUNK ? 0 : tokens - ((tokens - FIRST_CHUNK) % CHUNK)),
  keepsGenerated: false,
  isFree: false,
};

/** The grid of int8, whose attention sums integers: a row's bits don't depend on the chunk, so any cut will do. */
export const FREE: Grid = {
  chunk: (_, most) => most,
  padded: (tokens) => tokens,
  reusable: (tokens) => tokens,
  keepsGenerated: true,
  isFree: true,
};

export const gridOf = ({ precision }: Pick<ModelShape, "precision">): Grid =>
  precision === "int8" ? FREE : FIXED;
