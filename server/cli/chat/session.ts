import { ServerError } from "../server/ask.js";
import type { Server } from "../server/server.js";
import { thousands } from "../terminal/units.js";
import { type Answer, streamAnswer } from "./answer.js";
import { Conversation } from "./conversation.js";
import type { Fields } from "./options.js";
import type { View } from "./view.js";

export interface SessionParts {
  server: Server;
  /** The model's context in tokens; null if the server doesn't say. */
  context: number | null;
  fields: Fields;
  view: View;
}

/** A conversation with a server. One question is asked at a time. */
export class Session {
  readonly server: Server;
  readonly view: View;
  readonly conversation = new Conversation();
  fields: Fields;
  readonly #context: number | null;
  #running: AbortController | null = null;

  constructor({ server, context, fields, view }: SessionParts) {
    this.server = server;
    this.#context = context;
    this.fields = fields;
    this.view = view;
  }

  /** Stops the running answer. Returns false if none runs, or if it was stopped before. */
  stop(): boolean {
    if (this.#running === null || this.#running.signal.aborted) return false;
    this.#running.abort();
    return true;
  }

  /**
   * Asks a question and shows the answer. Question and answer become part of the conversation, a stopped answer as far
   * as it was shown.
   * @returns null if it was stopped
   * @throws an error with a one-line message; the conversation is then as before
   */
  async ask(question: string): Promise<Answer | null> {
    const { view, conversation } = this;
    const running = new AbortController();
    this.#running = running;
    let shown = "";
    view.wait(null);
    try {
      const answer = await streamAnswer(
        this.server,
        { messages: conversation.asking(question), fields: this.fields },
        {
          signal: running.signal,
          onQueue: (standing) => view.wait(standing),
          onText: (piece) => {
            view.endWait();
            shown += piece;
            view.text(piece);
          },
        },
      );
      conversation.add(question, answer.text);
      view.endWait();
      view.endText();
      if (shown === "") view.note("the model answered nothing");
      if (answer.finishReason === "length") view.note(this.#cut(answer));
      return answer;
    } catch (error) {
      view.endWait();
      if (shown !== "") view.endText();
      if (!running.signal.aborted) throw withAdvice(error);
      if (shown !== "") conversation.add(question, shown);
      view.note(shown === "" ? "stopped" : "stopped; the model will see the answer as far as it went");
      return null;
    } finally {
      this.#running = null;
    }
  }

  /** Why an answer has no end. */
  #cut({ usage }: Answer): string {
    const { max_tokens: most } = this.fields;
    const written = usage?.completion_tokens;
    if (usage && this.#context !== null && usage.prompt_tokens + usage.completion_tokens >= this.#context)
      return `cut: the model's context of ${thousands(this.#context)} tokens is full; /forget drops the oldest question and answer`;
    if (typeof most === "number" && (written === undefined || written >= most))
      return `cut at max_tokens ${thousands(most)}; /set max_tokens N allows more`;
    return `cut at the server's limit of ${thousands(written ?? 0)} tokens`;
  }
}

function withAdvice(error: unknown): unknown {
  if (!(error instanceof ServerError) || error.code !== "context_length_exceeded") return error;
  return new Error(
    `${error.message} /forget drops the oldest question and answer, /reset all of them; then ask again.`,
  );
}
