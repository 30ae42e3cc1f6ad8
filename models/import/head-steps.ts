import type { Rotary } from "../architecture.js";
import type { Channels } from "./calibrate.js";
import { GREATEST_WEIGHT } from "./graph/quantize.js";
import type { Sizes } from "./weights.js";

/** Greatest level of a query, whose levels are those of a uint8 about 128. */
const GREATEST_QUERY = 127;

/**
 * How unevenly wide channels are shared between queries and keys: at 1 the queries' levels bear it alone, at 0 the keys'. Queries
 * have twice as many.
 */
const BORNE_BY_QUERIES = 0.75;
/** A channel counts with at least this share of its head's greatest, in case calibration saw little of it. */
const LEAST_SHARE = 2 ** -10;
/** With a step of scores this great, a masked score's exponential is 0. */
const LEAST_SCORE = 2 ** -20;

/** How one layer's queries, keys and values become integers. */
export interface HeadSteps {
  /**
   * Factors that bring queries, keys and values into units of their steps: float32 [(heads + 2 * kv_heads) * head_dim],
   * in the graph's order. It scales the queries for attention too.
   */
  factors: Float32Array;
  /** The step of the products of queries and keys: float32 [kv_heads]. */
  scores: Float32Array;
  /** float32 [kv_heads] */
  values: Float32Array;
}

/**
 * Finds the steps of each head of keys and values from the ranges that calibration saw. Each channel of keys has its own, since some
 * are far greater than others in many models (https://arxiv.org/abs/2402.02750); the queries' channels are multiplied by them.
 * @param seen of queries, scaled for attention, of keys and of values, in the graph's order
 */
export function headSteps(
  { least, greatest }: Channels,
  { heads, kvHeads, headDim }: Pick<Sizes, "heads" | "kvHeads" | "headDim">,
  rotary: Rotary | null,
): HeadSteps {
  const ends = greatest.map((end, column) => Math.max(end, -least[column]!));
  const factors = new Float32Array(ends.length);
  const [scores, values] = [new Float32Array(kvHeads), new Float32Array(kvHeads)];
  for (let head = 0; head < kvHeads; head++) {
    const queries = Array.from({ length: heads / kvHeads }, (_, i) => (i * kvHeads + head) * headDim);
    const key = (heads + head) * headDim;
    const value = (heads + kvHeads + head) * headDim;
    const ofQueries = ends
      .slice(0, headDim)
      .map((_, i) => Math.max(...queries.map((query) => ends[query + i]!)));
    const steps = keySteps(ofQueries, ends.slice(key, key + headDim), rotary?.dim ?? 0);
    const most = greatestOf(steps.map((step, channel) => step * ofQueries[channel]!));
    scores[head] = Math.max(most / GREATEST_QUERY, LEAST_SCORE);
    values[head] = greatestOf(ends.subarray(value, value + headDim)) / GREATEST_WEIGHT || 1;
    for (const [channel, step] of steps.entries()) {
      for (const query of queries) factors[query + channel] = step / (scores[head]! * Math.sqrt(headDim));
      factors[key + channel] = 1 / step;
      factors[value + channel] = 1 / values[head]!;
    }
  }
  return { factors, scores, values };
}

/**
 * The step of each channel of a head's keys.
 * @param dim how many of the channels are turned, i with i + dim / 2: such two have one step
 */
function keySteps(queries: Float32Array, keys: Float32Array, dim: number): Float32Array {
  for (const ends of [queries, keys]) {
    const least = LEAST_SHARE * greatestOf(ends) || 1;
    for (const [i, end] of ends.entries()) ends[i] = Math.max(end, least);
    const half = dim / 2;
    for (let i = 0; i < half; i++) ends[i] = ends[i + half] = Math.max(ends[i]!, ends[i + half]!);
  }
  const shares = keys.map((key, i) => key ** BORNE_BY_QUERIES / queries[i]! ** (1 - BORNE_BY_QUERIES));
  const widest = greatestOf(keys.map((key, i) => key / shares[i]!));
  return shares.map((share) => (share * widest) / GREATEST_WEIGHT);
}

const greatestOf = (ends: Float32Array) => ends.reduce((a, b) => Math.max(a, b), 0);
