import { Candidates } from "./candidates.js";
import { LogitRow, mostLikely, type Row } from "./logit-row.js";
import type { Penalties } from "./penalties.js";
import { uniform } from "./philox.js";
import type { Sampling } from "./sampling.js";

/** Restraints on a sequence's next token, by its tokens so far and the form that its text must have. */
export interface Restraints {
  penalties: Penalties | null;
  /** A bit for each token that may come: int32 [vocabulary / 32 rounded up]; null: all. */
  allowed: Int32Array | null;
  /** Tokens that must not come if another can; usually none. */
  withheld: readonly number[];
}

const UNRESTRAINED: Restraints = { penalties: null, allowed: null, withheld: [] };

/**
 * Draws tokens, in the steps that `sampling.ts` lists. Holds only scratch space, so that one serves all sequences and
 * what it draws depends on its arguments alone.
 */
export class Sampler {
  readonly #row: LogitRow;
  readonly #candidates: Candidates;

  constructor(vocabulary: number) {
    this.#row = new LogitRow(vocabulary);
    this.#candidates = new Candidates(vocabulary);
  }

  /**
   * Draws a token, by the number that the generator has at `position`.
   * @throws when the logits that it looks at are no numbers, or none is finite, or no token may come
   */
  sample(row: Row, sampling: Sampling, position: number, restraints: Restraints = UNRESTRAINED): number {
    this.#narrow(row, sampling, restraints);
    return this.#candidates.at(uniform(sampling.seed, position));
  }

  /** The distribution that `sample` draws from: the tokens that can come, by rising id, and their probabilities. */
  distribution(row: Row, sampling: Sampling, restraints: Restraints = UNRESTRAINED) {
    this.#narrow(row, sampling, restraints);
    const { tokens, weights, count, total } = this.#candidates;
    return {
      tokens: [...tokens.subarray(0, count)],
      probabilities: [...weights.subarray(0, count)].map((weight) => weight / total),
    };
  }

  #narrow(given: Row, sampling: Sampling, restraints: Restraints): void {
    const { temperature, topK, topP, typicalP, minP } = sampling;
    const candidates = this.#candidates;
    const row = this.#restrain(given, sampling, restraints);
    const first = mostLikely(row);
    if (temperature === 0) {
      candidates.only(first, row.logits[first]!);
      return;
    }
    candidates.collect(row, topK > 0 ? topK : row.logits.length);
    candidates.weigh(row.logits[first]!, temperature);
    if (topP < 1) candidates.keepLikeliest(topP);
    if (typicalP < 1) candidates.keepTypical(typicalP);
    if (minP > 0) candidates.keepHeavy(minP);
  }

  /** The given row if nothing changes it. */
  #restrain(given: Row, { logitBias }: Sampling, { penalties, allowed, withheld }: Restraints): Row {
    if (logitBias.length === 0 && penalties === null && allowed === null && withheld.length === 0)
      return given;
    const row = this.#row;
    if (allowed === null) row.load(given);
    else row.loadAllowed(given, allowed);
    if (withheld.length > 0) row.withhold(withheld);
    for (const [token, bias] of logitBias) row.set(token, row.logits[token]! + bias);
    penalties?.apply(row);
    return row;
  }
}
