/** What a sequence did in some time. */
export interface Sample {
  /** Tokens of work. */
  tokens: number;
  ms: number;
  /** How many sequences ran beside each other meanwhile, itself included; the mean over the time. */
  beside: number;
}

/** What is assumed before anything is known: 50 tokens a second. It weighs no more than a short answer. */
const FIRST_GUESS = { tokens: 20, ms: 400 };

/** Keeps the slope at 0 as long as nearly everything was seen at one number of sequences. */
const LEAST_VARIANCE = 0.5;

/**
 * How long a sequence's token takes, learnt from what has run. The more sequences share a step the longer it takes, and
 * who asks wants to know it for full slots, though the last hour may have seen one sequence at a time: hence a straight
 * line over the number of sequences (least squares, weighted by tokens).
 */
export class Pace {
  readonly #decay: number;
  readonly #sums: Sums = { tokens: 0, ms: 0, beside: 0, besideSquared: 0, msBeside: 0 };

  /** @param slots how many run at once when everything is well; some four times as many samples are remembered */
  constructor(slots: number) {
    this.#decay = 1 - 1 / (4 * slots + 8);
    this.learn({ ...FIRST_GUESS, beside: slots });
  }

  learn(sample: Sample): void {
    for (const key of Object.keys(this.#sums) as (keyof Sums)[]) this.#sums[key] *= this.#decay;
    add(this.#sums, sample);
  }

  /** Milliseconds for each of a sequence's tokens while so many run; `underWay` counts too, and is not remembered. */
  msPerToken(beside: number, underWay: Iterable<Sample> = []): number {
    const sums = { ...this.#sums };
    for (const sample of underWay) add(sums, sample);
    const mean = sums.ms / sums.tokens;
    const meanBeside = sums.beside / sums.tokens;
    const variance = sums.besideSquared / sums.tokens - meanBeside ** 2;
    const covariance = sums.msBeside / sums.tokens - mean * meanBeside;
    const slope = Math.max(0, covariance / (variance + LEAST_VARIANCE));
    return Math.max(mean + slope * (beside - meanBeside), mean / 10);
  }
}

type Sums = Record<"tokens" | "ms" | "beside" | "besideSquared" | "msBeside", number>;

function add(sums: Sums, { tokens, ms, beside }: Sample): void {
  sums.tokens += tokens;
  sums.ms += ms;
  sums.beside += tokens * beside;
  sums.besideSquared += tokens * beside ** 2;
  sums.msBeside += ms * beside;
}
