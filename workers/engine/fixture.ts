import { LOGIT_BLOCK } from "../../models/shape.js";
import type { Row } from "./logit-row.js";

/** The greatest logit of each block of each row, as the step graph gives them: for tests without one. */
export function blockMaxima(logits: Float32Array, rows = 1): Float32Array {
  const vocabulary = rows === 0 ? 0 : logits.length / rows;
  const blocks = Math.ceil(vocabulary / LOGIT_BLOCK);
  return Float32Array.from({ length: rows * blocks }, (_, i) => {
    const row = logits.subarray(Math.floor(i / blocks) * vocabulary).subarray(0, vocabulary);
    return Math.max(...row.subarray((i % blocks) * LOGIT_BLOCK).subarray(0, LOGIT_BLOCK));
  });
}

/** The row that the step graph gives for these logits. */
export function rowOf(logits: Float32Array): Row {
  return { logits, maxima: blockMaxima(logits) };
}

/** A set of tokens as a constraint tells it. */
export function bitsOf(tokens: Iterable<number>, vocabulary: number): Int32Array {
  const bits = new Int32Array(Math.ceil(vocabulary / 32));
  for (const token of tokens) bits[token >>> 5]! |= 1 << (token & 31);
  return bits;
}
