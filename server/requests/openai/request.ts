import type { ModelFolder } from "../../../models/folder.js";
import { errors, invalidBody, invalidField, PublicError } from "../../errors/errors.js";
import { type GenerationFields, type TaskFields, taskFields } from "../fields.js";

/** Fields of both OpenAI operations. */
export interface OpenAiFields extends Partial<GenerationFields> {
  model?: string | null;
  stream_options?: { include_usage?: boolean | null } | null;
}

export type OpenAiModel = Pick<ModelFolder, "tokenizer" | "chatTemplate" | "config">;

/** The server's limits. */
export interface Limits {
  maxTokens: number;
  maxPromptChars: number;
}

/** A task's fields, with OpenAI's defaults where they differ from the native ones. @throws as `taskFields` does */
export function openAiTaskFields(fields: OpenAiFields, maxTokens: number, model: OpenAiModel): TaskFields {
  const { temperature = null, top_k: topK = null } = fields;
  return taskFields(
    // In vLLM's API a top_k of -1 means off.
    { ...fields, temperature, top_k: topK !== null && topK < 0 ? 0 : topK },
    { defaults: { temperature: 1, topK: 0, maxTokens, stop: [] }, model },
  );
}

/** Accepts the served model's name or none. @throws PublicError for another model */
export function checkModel(asked: string | null | undefined, served: string): void {
  if (!asked || asked === served) return;
  const { detail } = errors.model_not_found;
  throw new PublicError("model_not_found", {
    detail: `${detail}: expected ${shown(served)}, got ${shown(asked)}`,
  });
}

/** @throws PublicError for the first of these unsupported fields that has a value, unless it is null, false or empty */
export function checkUnsupported(fields: Record<string, unknown>, why: string): void {
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === null || isEmpty(value)) continue;
    throw invalidBody({ loc: ["body", name], msg: why, type: "unsupported" });
  }
}

/** @throws PublicError for more characters than the server's limit */
export function checkLength(field: string, chars: number, { maxPromptChars }: Limits): void {
  if (chars <= maxPromptChars) return;
  const msg = `Expected at most ${maxPromptChars} characters, got ${chars}`;
  throw invalidBody({ loc: ["body", field], msg, type: "string_too_long" });
}

export interface BudgetQuestion {
  promptTokens: number;
  /** Name of the prompt's field. */
  what: "messages" | "prompt";
  /** The field with the requested number of tokens, and that number. */
  field: string;
  asked: number | null;
  /** The default number, if the context has room for it. */
  usual: number;
  context: number;
  limits: Limits;
}

/** How many tokens may follow a prompt. @throws PublicError if the request exceeds the context or the server's limit */
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

/** A value for an error message, shortened. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return value === "" || value === false;
}
