import type { Finished } from "../../pool/pool.js";
import { completionDetails } from "../completion-details.js";

/** Token counts of a response: each prompt once, and all generated texts, even those that best_of didn't choose. */
export function usageOf(outcomes: readonly Finished[], perPrompt: number) {
  const prompts = outcomes.filter((_, index) => index % perPrompt === 0);
  const prompt = sum(prompts.map(({ promptTokens }) => promptTokens));
  const completion = sum(outcomes.map(({ completionTokens }) => completionTokens));
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: sum(prompts.map(({ cachedTokens }) => cachedTokens)) },
    completion_tokens_details: completionDetails(outcomes),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
