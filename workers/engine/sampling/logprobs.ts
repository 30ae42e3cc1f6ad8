import { Candidates } from "./candidates.js";
import { exponential } from "./exponential.js";
import { mostLikely, type Row } from "./logit-row.js";

/** A token's natural log-probability by the model's own distribution: the softmax of its logits, before any sampling parameter. */
export interface TokenLogprob {
  id: number;
  logprob: number;
  /** The likeliest tokens in falling order, equal ones by their ids; the token itself need not be among them. */
  top: [id: number, logprob: number][];
}

/** Reads log-probabilities off rows of logits; holds only scratch space. */
export class Logprobs {
  readonly #candidates: Candidates;

  constructor(vocabulary: number) {
    this.#candidates = new Candidates(vocabulary);
  }

  /**
   * The log-probability of a token, and those of the `k` likeliest.
   * @throws when the logits are not numbers
   */
  read(row: Row, token: number, k: number): TokenLogprob {
    const { logits } = row;
    const greatest = logits[mostLikely(row)]!;
    let total = 0;
    for (let i = 0; i < logits.length; i++) total += exponential(logits[i]! - greatest);
    const logTotal = Math.log(total) + greatest;
    return {
      id: token,
      logprob: logits[token]! - logTotal,
      top: this.#likeliest(row, k).map(({ id, logit }) => [id, logit - logTotal]),
    };
  }

  #likeliest(row: Row, k: number): { id: number; logit: number }[] {
    if (k === 0) return [];
    const { tokens, logits } = this.#candidates;
    this.#candidates.collect(row, k);
    return Array.from({ length: this.#candidates.count }, (_, i) => ({ id: tokens[i]!, logit: logits[i]! }))
      .sort((a, b) => b.logit - a.logit || a.id - b.id)
      .slice(0, k);
  }
}
