import type { Sampling } from "../protocol.js";

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
