import type { Operation } from "../operation.js";
import { chatCompletions } from "./chat-completions.js";
import { completions } from "./completions.js";
import type { Limits, OpenAiModel } from "./request.js";

/** The generating operations of OpenAI's API. */
export function openAiOperations(model: OpenAiModel, limits: Limits): Operation[] {
  return [completions(model, limits), chatCompletions(model, limits)];
}
