/*
 * How the next token is drawn, in this order. Logits are float32, to which they are rounded after step 2 and after
 * step 4; from step 5 on all is float64. A step that is off changes nothing.
 *
 *  1. Tokens that the grammar does not allow are ruled out, and, until there are `minTokens`, the end-of-sequence token
 *     (as in vLLM, where a stop string that is complete by then doesn't end the text either); but it stays where the
 *     grammar allows nothing else.
 *  2. `logitBias`: l + bias (OpenAI's API reference).
 *  3. `repetitionPenalty` r, of each token in the prompt or the output: l / r where l > 0, else l * r (CTRL, Keskar et al.
 *     2019, arXiv:1909.05858; with the sign as in Hugging Face transformers and vLLM).
 *  4. `frequencyPenalty` f and `presencePenalty` p, of each token that is n > 0 times in the output: l - f * n - p
 *     (OpenAI's API reference; the output alone, as in vLLM).
 *     Temperature 0 now takes the greatest logit, the lowest id of equal ones; what follows is for drawing.
 *  5. `temperature` t: l / t.
 *  6. `topK` k: the k greatest stay (Fan et al. 2018, arXiv:1805.04833).
 *  7. `topP`: the fewest of the likeliest stay whose probabilities sum up to at least that (nucleus sampling, Holtzman et
 *     al. 2019, arXiv:1904.09751).
 *  8. `typicalP`: the fewest of those stay whose -log p is nearest to the entropy and whose probabilities sum up to at
 *     least that (Meister et al. 2022, arXiv:2202.00666).
 *  9. `minP`: what is at least that many times as likely as the likeliest stays (Nguyen et al. 2024, arXiv:2407.01082).
 * 10. A token is drawn from the softmax over what is left, by Philox (`philox.ts`) at the seed and the token's position.
 *
 * Each of 6 to 9 sees the probabilities that those before it leave, normalized. Tokens that are exactly as likely as the
 * last one that stays stay too, as in transformers for 6 and 8: so the order of ids decides nothing.
 */

/** How a sequence's next token is drawn. */
export interface Sampling {
  /** 0 is greedy. */
  temperature: number;
  /** 0 is off. */
  topK: number;
  /** 1 is off. */
  topP: number;
  /** 0 is off. */
  minP: number;
  /** 1 is off. */
  typicalP: number;
  /** 1 is off. */
  repetitionPenalty: number;
  /** 0 is off. */
  presencePenalty: number;
  /** 0 is off. */
  frequencyPenalty: number;
  /** Added to these tokens' logits; a token at most once. */
  logitBias: readonly (readonly [token: number, bias: number])[];
  /** Two 32-bit halves (low, high) of a 64-bit seed. */
  seed: readonly [number, number];
}

/** Draws from the model's own distribution. */
export const PLAIN_SAMPLING: Omit<Sampling, "seed"> = {
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  typicalP: 1,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  logitBias: [],
};
