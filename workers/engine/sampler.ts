import { uniform } from "./philox.js";

/** How the next token is drawn. */
export interface Sampling {
  /** 0 takes the most likely token. */
  temperature: number;
  /** Only the `topK` most likely tokens can be drawn, and those as likely as the last of them; 0 is off. */
  topK: number;
  /** The 64-bit seed, low and high half. */
  seed: readonly [number, number];
}

/** Draws tokens; holds only scratch space, so that one serves all sequences. */
export class Sampler {
  readonly #heap: Float32Array;
  readonly #candidates: Int32Array;
  readonly #weights: Float64Array;

  constructor(vocabulary: number) {
    this.#heap = new Float32Array(vocabulary);
    this.#candidates = new Int32Array(vocabulary);
    this.#weights = new Float64Array(vocabulary);
  }

  /**
   * Draws a token from softmax(logits / temperature) over the tokens that `topK` leaves.
   * The randomness is a function of the seed and `position` alone.
   * @param logits float32 [vocabulary]
   * @throws when a logit is not a number, or none is finite
   */
  sample(logits: Float32Array, { temperature, topK, seed }: Sampling, position: number): number {
    const best = argmax(logits);
    if (temperature === 0) return best;

    const kept = topK > 0 && topK < logits.length;
    const threshold = kept ? this.#kthLargest(logits, topK) : Number.NEGATIVE_INFINITY;
    const maximum = logits[best]!;
    let count = 0;
    let total = 0;
    for (let token = 0; token < logits.length; token++) {
      const logit = logits[token]!;
      if (logit < threshold) continue;
      total += Math.exp((logit - maximum) / temperature);
      this.#candidates[count] = token;
      this.#weights[count++] = total;
    }
    const target = uniform(seed, position) * total;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#weights[middle]! > target) high = middle;
      else low = middle + 1;
    }
    return this.#candidates[low]!;
  }

  /** The k-th largest value, by a min-heap of the k largest so far: few values of a long row get into it. */
  #kthLargest(values: Float32Array, k: number): number {
    const heap = this.#heap;
    heap.set(values.subarray(0, k));
    for (let i = (k >> 1) - 1; i >= 0; i--) siftDown(heap, i, k);
    for (let i = k; i < values.length; i++) {
      if (values[i]! > heap[0]!) {
        heap[0] = values[i]!;
        siftDown(heap, 0, k);
      }
    }
    return heap[0]!;
  }
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

function argmax(logits: Float32Array): number {
  let best = -1;
  let maximum = Number.NEGATIVE_INFINITY;
  let sum = 0;
  for (let token = 0; token < logits.length; token++) {
    const logit = logits[token]!;
    sum += logit;
    if (logit > maximum) {
      maximum = logit;
      best = token;
    }
  }
  // A NaN loses every comparison but survives a sum; so one test outside the loop finds it.
  if (best < 0 || Number.isNaN(sum))
    throw new Error("the model's logits are not numbers: its weights are damaged");
  return best;
}
