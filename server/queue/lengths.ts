const BINS = 32;
/** Some hundred requests are remembered. */
const DECAY = 0.99;

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

  /** How many more tokens are to be expected of a sequence that has written so many of `most`. */
  left(most: number, written = 0): number {
    const share = Math.min(written / most, 1);
    let weight = 0;
    let sum = 0;
    for (let bin = Math.floor(share * BINS); bin <= BINS; bin++) {
      const middle = bin === BINS ? 1 : (bin + 0.5) / BINS;
      weight += this.#bins[bin]!;
      sum += this.#bins[bin]! * Math.max(middle - share, 0);
    }
    return weight > 0 ? (sum / weight) * most : Math.max(most - written, 0);
  }
}
