const BINS = 32;
/** Some hundred requests are remembered. */
const DECAY = 0.99;
/** A weight that is as good as nothing. */
const UNKNOWN = 1e-6;

/**
 * How much of what they may write sequences do write, learnt from those that ended by themselves: the shares' recent
 * distribution, so that it is known too what is left for one that has outlived the mean.
 */
export class Lengths {
  /** One more than there are parts: the last holds those that wrote all they might. */
  readonly #bins = new Float64Array(BINS + 1);

  constructor() {
    // Until something is known they write all of it.
    this.#bins[BINS] = 1;
  }

  learn(written: number, most: number): void {
    for (let bin = 0; bin <= BINS; bin++) this.#bins[bin]! *= DECAY;
    this.#bins[Math.min(Math.floor((written / most) * BINS), BINS)]! += 1;
  }

  /**
   * The deciles, so to say, of how many more tokens a sequence writes that has written so many of `most`: as many values,
   * ascending, that are equally likely.
   */
  left(most: number, written: number, values: number): number[] {
    const share = Math.min(written / most, 1);
    const first = Math.min(Math.floor(share * BINS), BINS);
    let total = 0;
    for (let bin = first; bin <= BINS; bin++) total += this.#weight(bin, share);
    // Nobody has ever written so much.
    if (total < UNKNOWN) return new Array<number>(values).fill(Math.max(most - written, 0));
    const left: number[] = [];
    let below = 0;
    for (let bin = first; bin <= BINS; bin++) {
      const weight = this.#weight(bin, share);
      const from = Math.max(bin / BINS, share);
      for (; left.length < values; ) {
        const inside = ((left.length + 0.5) / values) * total - below;
        if (inside > weight) break;
        const to = bin === BINS ? 1 : (bin + 1) / BINS;
        left.push((from + (to - from) * (inside / weight) - share) * most);
      }
      below += weight;
    }
    while (left.length < values) left.push(Math.max(1 - share, 0) * most);
    return left;
  }

  /** Of a bin, the part above a share. */
  #weight(bin: number, share: number): number {
    const part = bin === BINS ? 1 : Math.min(bin + 1 - share * BINS, 1);
    return this.#bins[bin]! * part;
  }
}
