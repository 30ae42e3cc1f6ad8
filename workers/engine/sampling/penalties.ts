import type { LogitRow } from "./logit-row.js";
import type { Sampling } from "./sampling.js";

/** Penalties on the tokens that a sequence already has; formulas in `sampling.ts`. */
export class Penalties {
  readonly #sampling: Sampling;
  /** The tokens that are penalized, and how often each of them was generated. */
  readonly #tokens: number[] = [];
  readonly #counts: number[] = [];
  readonly #places = new Map<number, number>();

  private constructor(sampling: Sampling) {
    this.#sampling = sampling;
  }

  /** Null where all are off. */
  static of(sampling: Sampling, promptIds: readonly number[]): Penalties | null {
    const { repetitionPenalty, presencePenalty, frequencyPenalty } = sampling;
    if (repetitionPenalty === 1 && presencePenalty === 0 && frequencyPenalty === 0) return null;
    const penalties = new Penalties(sampling);
    if (repetitionPenalty !== 1) for (const token of promptIds) penalties.#count(token, 0);
    return penalties;
  }

  /** Takes a token that was generated. */
  push(token: number): void {
    this.#count(token, 1);
  }

  apply(row: LogitRow): void {
    const { repetitionPenalty, presencePenalty, frequencyPenalty } = this.#sampling;
    for (let i = 0; i < this.#tokens.length; i++) {
      const token = this.#tokens[i]!;
      const count = this.#counts[i]!;
      const logit = row.logits[token]!;
      const repeated = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
      row.set(token, count > 0 ? repeated - frequencyPenalty * count - presencePenalty : repeated);
    }
  }

  #count(token: number, times: number): void {
    const place = this.#places.get(token);
    if (place !== undefined) {
      this.#counts[place]! += times;
      return;
    }
    this.#places.set(token, this.#tokens.length);
    this.#tokens.push(token);
    this.#counts.push(times);
  }
}
