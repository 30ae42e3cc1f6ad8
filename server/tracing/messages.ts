import { toUSVString } from "node:util";
import type { GenerationSummary } from "../telemetry/summary.js";

/** The most characters of prompts, and of outputs, that a span shows. Backends refuse or cut large attributes. */
const MOST_CHARS = 16_384;
const MOST_MESSAGES = 64;

interface Message {
  role: string;
  content: string;
  reason?: string;
}

/** The prompt of a body, as the attribute `gen_ai.input.messages` has it. Of a long conversation, the last messages. */
export function inputMessages(body: object): string {
  const { prompt, messages } = body as { prompt?: unknown; messages?: unknown };
  const given: Message[] = Array.isArray(messages)
    ? messages.map((message) => ({ role: String(message?.role), content: textOf(message?.content) }))
    : (Array.isArray(prompt) ? prompt : [prompt]).map((one) => ({ role: "user", content: textOf(one) }));
  return `[${written(given.slice(-MOST_MESSAGES).toReversed()).toReversed().join(",")}]`;
}

/** What a generation's sequences have written, as the attribute `gen_ai.output.messages` has it. */
export function outputMessages(outputs: GenerationSummary["outputs"]): string {
  const given = outputs
    .filter((output) => output !== undefined)
    .map(({ text, reason }) => ({ role: "assistant", content: text, reason }));
  return `[${written(given.slice(0, MOST_MESSAGES)).join(",")}]`;
}

/** Each message as JSON, until the limit is reached. */
function written(messages: readonly Message[]): string[] {
  let left = MOST_CHARS;
  return messages.flatMap(({ role, content, reason }) => {
    if (left <= 0) return [];
    // A cut may leave half of a surrogate pair.
    const shown = content.length > left ? `${toUSVString(content.slice(0, left))}…` : content;
    left -= content.length;
    const parts = [{ type: "text", content: shown }];
    return [JSON.stringify({ role, parts, ...(reason && { finish_reason: reason }) })];
  });
}

const textOf = (content: unknown) =>
  typeof content === "string" ? content : (JSON.stringify(content) ?? "");
