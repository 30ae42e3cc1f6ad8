import { ask, ServerError } from "../server/ask.js";
import type { Server } from "../server/server.js";
import type { Message } from "./conversation.js";

/** Letters alone: a template may trim or escape anything else. */
const MARKERS = ["jaiFirstQuestion", "jaiFirstAnswer", "jaiLastQuestion"] as const;

/**
 * Whether the served model's chat template carries earlier questions and answers to the model. If that can't be found
 * out, true: the answer to the first question then says more.
 */
export async function keepsConversation(server: Server): Promise<boolean> {
  const [first, answer, last] = MARKERS;
  const seen = await render(server, [
    { role: "user", content: first },
    { role: "assistant", content: answer },
    { role: "user", content: last },
  ]).catch((error: unknown) => (isRefusal(error) ? "" : MARKERS.join(" ")));
  return MARKERS.every((marker) => seen.includes(marker));
}

/** @throws an error with a one-line message if the template refuses or ignores a system text */
export async function checkSystem(server: Server, system: string): Promise<void> {
  const question: Message = { role: "user", content: MARKERS[0] };
  const seen = await render(server, [{ role: "system", content: system }, question]);
  const bare = await render(server, [question]);
  if (seen === bare) throw new Error("the model's chat template ignores system texts");
}

/** What the server says of itself, for the greeting. */
export async function greet(server: Server): Promise<{ name: string; context: number | null }> {
  const { model } = await ask(server, "health");
  const { name, context } = (model ?? {}) as { name?: unknown; context?: unknown };
  return { name: String(name ?? "a model"), context: typeof context === "number" ? context : null };
}

async function render(server: Server, messages: Message[]): Promise<string> {
  const { prompt } = await ask(server, "v1/chat/completions/render", { body: { messages } });
  return String(prompt);
}

const isRefusal = (error: unknown) => error instanceof ServerError && error.status === 400;
