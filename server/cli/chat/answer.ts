import { askEvents, readObject, ServerError } from "../server/ask.js";
import type { Server } from "../server/server.js";
import type { Message } from "./conversation.js";
import type { Fields } from "./options.js";

/** Place in the server's queue. */
export interface Standing {
  /** 1 is the next to start. */
  position: number;
  /** Estimated seconds until it starts. */
  expected_wait: number | null;
}

export interface Answer {
  /** Without white space at its ends. */
  text: string;
  finishReason: string | null;
  usage: { prompt_tokens: number; completion_tokens: number } | null;
}

export interface Listener {
  onQueue(standing: Standing): void;
  /** Gets the answer's text piece by piece, without white space at its ends. */
  onText(piece: string): void;
}

interface Chunk {
  choices?: null | { delta?: { content?: unknown }; finish_reason?: string | null }[];
  usage?: Answer["usage"];
}

/**
 * Streams the answer to a conversation.
 * @throws ServerError for a refusal, or an error within the stream
 * @throws the signal's reason once it is aborted; the server then frees the slot
 */
export async function streamAnswer(
  server: Server,
  conversation: { messages: readonly Message[]; fields: Fields },
  { signal, ...listener }: Listener & { signal: AbortSignal },
): Promise<Answer> {
  const body = {
    messages: conversation.messages,
    ...conversation.fields,
    stream: true,
    stream_options: { include_usage: true },
  };
  const answer: Answer = { text: "", finishReason: null, usage: null };
  const onComment = (comment: string) => {
    const told = comment.startsWith("queue ") ? readObject(comment.slice("queue ".length)) : null;
    if (typeof told?.position === "number") listener.onQueue(told as unknown as Standing);
  };
  const trimmed = trimmer();
  let isWhole = false;
  for await (const { data } of askEvents(server, "v1/chat/completions", { body, signal, onComment })) {
    if (data === "[DONE]") {
      // The loop goes on to the end of the response: breaking it off would close the connection.
      isWhole = true;
      continue;
    }
    const chunk = readObject(data);
    if (chunk === null) throw new Error("expected JSON in the stream, got something else");
    if (chunk.error) throw new ServerError(null, chunk);
    const { choices, usage } = chunk as Chunk;
    const choice = choices?.[0];
    if (usage) answer.usage = usage;
    if (choice?.finish_reason) answer.finishReason = choice.finish_reason;
    const piece = trimmed(String(choice?.delta?.content ?? ""));
    answer.text += piece;
    if (piece !== "") listener.onText(piece);
  }
  if (isWhole) return answer;
  throw new Error("the connection ended before the answer was whole");
}

/** Passes a text on piece by piece, without white space at its ends: what may be the last is held back. */
export function trimmer(): (piece: string) => string {
  let held: string | null = null;
  return (piece) => {
    const text = held === null ? piece.trimStart() : held + piece;
    const kept = text.trimEnd();
    if (kept === "") {
      if (held !== null) held = text;
      return "";
    }
    held = text.slice(kept.length);
    return kept;
  };
}
