/*
 * Where prompts are cut for prefill. A chunk's start decides the order of attention's sums, and so the last bits of
 * its rows. Hence all prompts are cut by one grid, counted from the window's start, whatever else runs: a request's
 * numbers don't depend on the load, and the rows of a whole chunk are the same whoever computed them. (The row of a
 * generated token differs from its row in a chunk, since it was a chunk of its own.)
 */

/**
 * Chunks are small, as running sequences wait while one is computed. One of 16 costs about half the decode step of
 * 16 sequences. Smaller ones would cost a lone prompt more than twice what it costs in one piece.
 */
const CHUNK = 16;
/** The first has no past to attend to, and most short prompts fit into it. */
const FIRST_CHUNK = 32;
/** A vector register of float32: padding to a multiple of it changes no bit of a sum. */
const PADDING = 16;

/** Tokens of the chunk that begins at `start`. */
export function chunkAt(start: number): number {
  return start < FIRST_CHUNK ? FIRST_CHUNK : CHUNK;
}

/** How many of a prompt's first `tokens` lie in whole chunks. */
export function wholeChunks(tokens: number): number {
  return tokens < FIRST_CHUNK ? 0 : tokens - ((tokens - FIRST_CHUNK) % CHUNK);
}

/** Rows of a run that feeds `tokens` of a sequence. */
export function padded(tokens: number): number {
  return Math.ceil(tokens / PADDING) * PADDING;
}
