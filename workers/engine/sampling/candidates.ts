import { LOGIT_BLOCK } from "../../../models/shape.js";
import { exponential } from "./exponential.js";
import { kthLargest } from "./kth-largest.js";
import { damaged, type Row } from "./logit-row.js";
import { MassCut } from "./mass-cut.js";

/**
 * The tokens that may still be drawn, by rising id. Each filter keeps tokens by a threshold, so equally likely tokens
 * all stay or all go.
 */
export class Candidates {
  readonly tokens: Int32Array;
  readonly logits: Float32Array;
  readonly weights: Float64Array;
  /** How many there are, and the sum of their weights. */
  count = 0;
  total = 0;
  readonly #heap: Float32Array;
  readonly #cut: MassCut;

  constructor(vocabulary: number) {
    this.tokens = new Int32Array(vocabulary);
    this.logits = new Float32Array(vocabulary);
    this.weights = new Float64Array(vocabulary);
    this.#heap = new Float32Array(vocabulary);
    this.#cut = new MassCut(vocabulary);
  }

  /** Takes one token alone. */
  only(token: number, logit: number): void {
    this.tokens[0] = token;
    this.logits[0] = logit;
    this.weights[0] = 1;
    this.count = 1;
    this.total = 1;
  }

  /**
   * Takes the `k` most likely tokens of a row, and all that are as likely as the last of them. Tokens that were ruled
   * out are not taken.
   * @throws when it meets a logit that is no number
   */
  collect({ logits, maxima }: Row, k: number): void {
    const { tokens } = this;
    const blocks = maxima.length;
    // At least k tokens reach the k-th greatest block maximum.
    const reach = k < blocks ? kthLargest(maxima, blocks, k, this.#heap) : Number.NEGATIVE_INFINITY;
    // This leaves out -Infinity alone: no float32 lies between the two.
    const floor = Math.max(reach, -Number.MAX_VALUE);
    let count = 0;
    for (let block = 0; block < blocks; block++) {
      if (maxima[block]! < floor) continue;
      const end = Math.min((block + 1) * LOGIT_BLOCK, logits.length);
      for (let token = block * LOGIT_BLOCK; token < end; token++) {
        const logit = logits[token]!;
        if (logit < floor) continue;
        // A NaN loses every comparison, so it would pass all filters and could be drawn.
        if (Number.isNaN(logit)) throw damaged();
        tokens[count] = token;
        this.logits[count++] = logit;
      }
    }
    this.count = count;
    if (count > k) this.#keepLogits(kthLargest(this.logits, count, k, this.#heap));
  }

  /** Weighs each by the softmax of logits / temperature; the most likely token weighs 1. */
  weigh(greatest: number, temperature: number): void {
    const { logits, weights, count } = this;
    let total = 0;
    for (let i = 0; i < count; i++) {
      const weight = exponential((logits[i]! - greatest) / temperature);
      weights[i] = weight;
      total += weight;
    }
    this.total = total;
  }

  /** Keeps the fewest of the most likely tokens that have this share of the weight. */
  keepLikeliest(share: number): void {
    const { logits, weights, count, total } = this;
    // All lighter ones together weigh at most half of what is cut off.
    const negligible = ((1 - share) * total) / count / 2;
    this.#cut.clear();
    for (let i = 0; i < count; i++) if (weights[i]! > negligible) this.#cut.add(-logits[i]!, weights[i]!);
    this.#keepLogits(-this.#cut.find(share * total));
    this.#sum();
  }

  /**
   * Keeps the fewest tokens with this share of the weight whose information, -log p, is nearest to the mean
   * information, the entropy. That distance is the logit's distance from the mean logit, divided by the temperature.
   */
  keepTypical(share: number): void {
    const { logits, weights, count, total } = this;
    let mean = 0;
    for (let i = 0; i < count; i++) mean += (weights[i]! / total) * logits[i]!;
    this.#cut.clear();
    for (let i = 0; i < count; i++) this.#cut.add(Math.abs(logits[i]! - mean), weights[i]!);
    const farthest = this.#cut.find(share * total);
    let kept = 0;
    for (let i = 0; i < count; i++) if (Math.abs(logits[i]! - mean) <= farthest) this.#move(i, kept++);
    this.count = kept;
    this.#sum();
  }

  /** Keeps those that weigh at least `ratio` times what the heaviest weighs. */
  keepHeavy(ratio: number): void {
    const { weights, count } = this;
    let heaviest = 0;
    for (let i = 0; i < count; i++) if (weights[i]! > heaviest) heaviest = weights[i]!;
    const least = ratio * heaviest;
    let kept = 0;
    for (let i = 0; i < count; i++) if (weights[i]! >= least) this.#move(i, kept++);
    this.count = kept;
    this.#sum();
  }

  /** The token at a place in [0, 1) on a line on which each token takes the room of its weight. */
  at(place: number): number {
    const { tokens, weights, count } = this;
    const target = place * this.total;
    let sum = 0;
    for (let i = 0; i < count - 1; i++) {
      sum += weights[i]!;
      if (sum > target) return tokens[i]!;
    }
    return tokens[count - 1]!;
  }

  #keepLogits(least: number): void {
    const { logits, count } = this;
    let kept = 0;
    for (let i = 0; i < count; i++) if (logits[i]! >= least) this.#move(i, kept++);
    this.count = kept;
  }

  #move(from: number, to: number): void {
    this.tokens[to] = this.tokens[from]!;
    this.logits[to] = this.logits[from]!;
    this.weights[to] = this.weights[from]!;
  }

  #sum(): void {
    const { weights, count } = this;
    let total = 0;
    for (let i = 0; i < count; i++) total += weights[i]!;
    this.total = total;
  }
}
