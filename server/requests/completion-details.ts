import type { Finished } from "../pool/pool.js";

/** Tokens of the outputs that were drafted and came true, and those that didn't, under OpenAI's names. */
export function completionDetails(outcomes: readonly Finished[]) {
  let [accepted, drafted] = [0, 0];
  for (const { acceptedTokens, draftedTokens } of outcomes) {
    accepted += acceptedTokens;
    drafted += draftedTokens;
  }
  return { accepted_prediction_tokens: accepted, rejected_prediction_tokens: drafted - accepted };
}
