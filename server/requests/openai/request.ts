import type { ModelFolder } from "../../../models/folder.js";
import { errors, invalidBody, invalidField, PublicError } from "../../errors/errors.js";
import { type GenerationFields, type TaskFields, taskFields } from "../fields.js";

/** Fields that both of OpenAI's generating operations take beside the common ones. */
export interface OpenAiFields extends Partial<GenerationFields> {
  model?: string | null;
  stream_options?: { include_usage?: boolean | null } | null;
}

export type OpenAiModel = Pick<ModelFolder, "tokenizer" | "chatTemplate" | "config">;

/** The server's own. */
export interface Limits {
  maxTokens: number;
  maxPromptChars: number;
}

/** A task's fields, with the defaults of OpenAI's API where native ones would differ. @throws as `taskFields` does */
export function openAiTaskFields(fields: OpenAiFields, maxTokens: number, model: OpenAiModel): TaskFields {
  const { temperature = null, top_k: topK = null } = fields;
  return taskFields(
    // Below 0 is vLLM's way to write "off".
    { ...fields, temperature, top_k: topK !== null && topK < 0 ? 0 : topK },
    { defaults: { temperature: 1, topK: 0, maxTokens, stop: [] }, model },
  );
}

/** A body that names no model means the one that is served. @throws PublicError for another */
export function checkModel(asked: string | null | undefined, served: string): void {
  if (!asked || asked === served) return;
  const { detail } = errors.model_not_found;
  throw new PublicError("model_not_found", {
    detail: `${detail}: expected ${shown(served)}, got ${shown(asked)}`,
  });
}

/** @throws PublicError for a field that asks for what there isn't; each of `fields` is one whose value asks for nothing */
export function checkUnsupported(fields: Record<string, unknown>, why: string): void {
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === null || isEmpty(value)) continue;
    throw invalidBody({ loc: ["body", name], msg: why, type: "unsupported" });
  }
}

/** @throws PublicError for texts that are longer, together, than the server takes */
export function checkLength(field: string, chars: number, { maxPromptChars }: Limits): void {
  if (chars <= maxPromptChars) return;
  const msg = `Expected at most ${maxPromptChars} characters, got ${chars}`;
  throw invalidBody({ loc: ["body", field], msg, type: "string_too_long" });
}

export interface BudgetQuestion {
  promptTokens: number;
  /** Name of the prompt's field. */
  what: "messages" | "prompt";
  /** The field with the number that is asked for, and the number. */
  field: string;
  asked: number | null;
  /** Default number, if there is room for so many. */
  usual: number;
  context: number;
  limits: Limits;
}

/** How many tokens may follow a prompt. @throws PublicError where these are more than the context, or the server, has room for */
export function tokenBudget(question: BudgetQuestion): number {
  const { promptTokens, what, field, asked, usual, context, limits } = question;
  if (asked !== null && asked > limits.maxTokens)
    throw invalidField([field], `expected at most ${limits.maxTokens}, got ${asked}`);
  const requested = promptTokens + (asked ?? 1);
  if (requested > context) {
    const parts = `${promptTokens} in the ${what}, ${asked ?? "at least 1"} in the completion`;
    throw new PublicError("context_length_exceeded", {
      detail: `${errors.context_length_exceeded.detail}: This model's maximum context length is ${context} tokens. However, you requested ${requested} tokens (${parts}). Please reduce the length of the ${what} or the completion.`,
    });
  }
  return asked ?? Math.min(usual, limits.maxTokens, context - promptTokens);
}

/** The value as an error message shows it, cut short. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return value === "" || value === false;
}
