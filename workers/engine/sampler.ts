import { LOGIT_BLOCK } from "../../models/shape.js";
import type { Sampling } from "../protocol.js";
import { uniform } from "./philox.js";

/** Draws tokens; holds only scratch space, so that one serves all sequences. */
export class Sampler {
  readonly #heap: Float32Array;
  /** Tokens that may be drawn, in their order, and their logits; then the running sum of their weights. */
  readonly #tokens: Int32Array;
  readonly #logits: Float32Array;
  readonly #sums: Float64Array;

  constructor(vocabulary: number) {
    this.#heap = new Float32Array(vocabulary);
    this.#tokens = new Int32Array(vocabulary);
    this.#logits = new Float32Array(vocabulary);
    this.#sums = new Float64Array(vocabulary);
  }

  /**
   * Draws a token from softmax(logits / temperature) over the tokens that `topK` leaves.
   * The randomness is a function of the seed and `position` alone.
   * @param logits float32 [vocabulary]
   * @param maxima the greatest logit of each block of `LOGIT_BLOCK`: most blocks hold none of the likely tokens, and the
   * graph finds that out faster than a loop here
   * @throws when the logits that it looks at are no numbers, or none is finite
   */
  sample(
    logits: Float32Array,
    maxima: Float32Array,
    { temperature, topK, seed }: Sampling,
    position: number,
  ): number {
    const first = mostLikely(logits, maxima);
    if (temperature === 0) return first;

    const maximum = logits[first]!;
    const limited = topK > 0 && topK < logits.length;
    const count = this.#collect(logits, maxima, limited ? topK : logits.length);
    const threshold = limited ? kthLargest(this.#logits, count, topK, this.#heap) : Number.NEGATIVE_INFINITY;
    let kept = 0;
    let total = 0;
    for (let i = 0; i < count; i++) {
      const logit = this.#logits[i]!;
      if (logit < threshold) continue;
      total += Math.exp((logit - maximum) / temperature);
      this.#tokens[kept] = this.#tokens[i]!;
      this.#sums[kept++] = total;
    }
    return this.#tokens[firstAbove(this.#sums, kept, uniform(seed, position) * total)]!;
  }

  /**
   * Collects tokens among which are the `k` most likely, and all that are as likely as the last of them: those that
   * reach the k-th greatest block maximum, since at least `k` tokens do.
   */
  #collect(logits: Float32Array, maxima: Float32Array, k: number): number {
    const blocks = maxima.length;
    const reach = k < blocks ? kthLargest(maxima, blocks, k, this.#heap) : Number.NEGATIVE_INFINITY;
    let count = 0;
    for (let block = 0; block < blocks; block++) {
      if (maxima[block]! < reach) continue;
      const end = Math.min((block + 1) * LOGIT_BLOCK, logits.length);
      for (let token = block * LOGIT_BLOCK; token < end; token++) {
        const logit = logits[token]!;
        if (logit < reach) continue;
        // It loses every comparison, and would be drawn for that.
        if (Number.isNaN(logit)) throw damaged();
        this.#tokens[count] = token;
        this.#logits[count++] = logit;
      }
    }
    return count;
  }
}

/** The first of the tokens with the greatest logit. */
function mostLikely(logits: Float32Array, maxima: Float32Array): number {
  let block = 0;
  for (let i = 1; i < maxima.length; i++) if (maxima[i]! > maxima[block]!) block = i;
  const start = block * LOGIT_BLOCK;
  const token = logits.subarray(start, start + LOGIT_BLOCK).indexOf(maxima[block]!);
  // A NaN isn't found; infinities are as wrong.
  if (token < 0 || !Number.isFinite(maxima[block]!)) throw damaged();
  return start + token;
}

function damaged(): Error {
  return new Error("the model's logits are not numbers: its weights are damaged");
}

/** The k-th largest of the first `count` values, by a min-heap of the k largest so far. */
function kthLargest(values: Float32Array, count: number, k: number, heap: Float32Array): number {
  heap.set(values.subarray(0, k));
  for (let i = (k >> 1) - 1; i >= 0; i--) siftDown(heap, i, k);
  for (let i = k; i < count; i++) {
    if (values[i]! > heap[0]!) {
      heap[0] = values[i]!;
      siftDown(heap, 0, k);
    }
  }
  return heap[0]!;
}

/** Where a rising row of numbers first exceeds `target`; the last place where it doesn't. */
function firstAbove(sums: Float64Array, count: number, target: number): number {
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle]! > target) high = middle;
    else low = middle + 1;
  }
  return low;
}

function siftDown(heap: Float32Array, start: number, size: number): void {
  const value = heap[start]!;
  let parent = start;
  for (;;) {
    let child = 2 * parent + 1;
    if (child >= size) break;
    if (child + 1 < size && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= value) break;
    heap[parent] = heap[child]!;
    parent = child;
  }
  heap[parent] = value;
}
