import { ask, ServerError } from "../server/ask.js";
import type { Server } from "../server/server.js";
import { visibleLine } from "../terminal/visible.js";
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

/**
 * What the server says of itself, for the greeting.
 * @throws an error with a one-line message if its model can't chat
 */
export async function greet(server: Server): Promise<{ name: string; context: number | null }> {
  const { model } = await ask(server, "health");
  const told = (model ?? {}) as { name?: unknown; context?: unknown; chat_template?: unknown };
  const name = String(told.name ?? "a model");
  // Servers from before that field always have a template.
  if (told.chat_template === false)
    throw new Error(
      `${visibleLine(name)} has no chat template: send it texts to continue with POST /generate, or import it again with --chat-template`,
    );
  return { name, context: typeof told.context === "number" ? told.context : null };
}

async function render(server: Server, messages: Message[]): Promise<string> {
  const { prompt } = await ask(server, "v1/chat/completions/render", { body: { messages } });
  return String(prompt);
}

const isRefusal = (error: unknown) => error instanceof ServerError && error.status === 400;
