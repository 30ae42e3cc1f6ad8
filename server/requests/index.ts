import { nativeOperations } from "./native/native.js";
import { openAiOperations } from "./openai/index.js";
import type { Limits, OpenAiModel } from "./openai/request.js";
import type { Operation } from "./operation.js";

/** Every operation that generates text. */
export function generatingOperations(model: OpenAiModel, limits: Limits): Operation[] {
  return [...nativeOperations(model), ...openAiOperations(model, limits)];
}
