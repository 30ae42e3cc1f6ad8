import { createParser, type EventSourceMessage } from "eventsource-parser";
import { visibleLine } from "../terminal/visible.js";
import type { Server } from "./server.js";

/** The server's own words name headers, which a command has no flags for. */
const KEY_HINT = "; here JAI_API_KEY or --key takes it";
/** What is longer is no answer of a jai-server's, and must not fill the memory: a compressed one costs its sender little. */
const MOST_BYTES = 2 ** 28;
/** The same of one event of a stream. */
const MOST_EVENT_BYTES = 2 ** 24;

/** The server refused a request, or a stream ended with an error. The message is one line. */
export class ServerError extends Error {
  override name = "ServerError";
  /** The HTTP status; null for an error within a stream. */
  readonly status: number | null;
  /** OpenAI's code, under /v1 alone. */
  readonly code: string | null;

  constructor(status: number | null, body: Record<string, unknown>) {
    const { error } = body as { error?: { message?: unknown; code?: unknown } | string };
    const { message = error, code } = typeof error === "object" && error !== null ? error : {};
    const what = visibleLine(describe(message ?? body.detail));
    super(
      status === null
        ? `the server stopped the answer: ${what}`
        : `the server answered ${status}: ${what}${status === 401 ? KEY_HINT : ""}`,
    );
    this.status = status;
    this.code = typeof code === "string" ? code : null;
  }
}

export interface Question {
  /** Default: GET, or POST with a body. */
  method?: string;
  body?: object;
  signal?: AbortSignal;
}

/** The JSON object that a path answers; empty for an empty answer. @throws an error with a one-line message */
export async function ask(
  server: Server,
  path: string,
  question: Question = {},
): Promise<Record<string, unknown>> {
  const response = await send(server, path, question);
  return readAnswer(server, response);
}

/**
 * The server-sent events that a path answers. Breaking off the loop ends the request.
 * @param onComment called with each comment's text
 * @throws an error with a one-line message, or the signal's reason
 */
export async function* askEvents(
  server: Server,
  path: string,
  { onComment = () => {}, ...question }: Question & { onComment?: (text: string) => void },
): AsyncGenerator<EventSourceMessage> {
  const response = await send(server, path, question);
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
  if (!response.ok || !isStream || response.body === null) {
    await readAnswer(server, response);
    throw notJai(server);
  }
  const events: EventSourceMessage[] = [];
  let unread = 0;
  const parser = createParser({
    onEvent: (event) => void events.push(event),
    onComment: (comment) => {
      unread = 0;
      onComment(comment);
    },
  });
  const decoder = new TextDecoder();
  for await (const piece of piecesOf(server, response, question.signal)) {
    unread += piece.length;
    if (unread > MOST_EVENT_BYTES) throw notJai(server);
    parser.feed(decoder.decode(piece, { stream: true }));
    if (events.length > 0) unread = 0;
    yield* events.splice(0);
  }
}

async function send(
  { url, key }: Server,
  path: string,
  { method, body, signal }: Question,
): Promise<Response> {
  try {
    return await fetch(new URL(path, url), {
      method: method ?? (body === undefined ? "GET" : "POST"),
      // Authorization, not X-API-Key: fetch drops only the former when it is redirected to another server.
      headers: { ...(key && { authorization: `Bearer ${key}` }), "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
  } catch (error) {
    throw unreachable({ url, key }, error, signal);
  }
}

async function readAnswer(server: Server, response: Response): Promise<Record<string, unknown>> {
  const decoder = new TextDecoder();
  let bytes = 0;
  let text = "";
  for await (const piece of piecesOf(server, response)) {
    bytes += piece.length;
    if (bytes > MOST_BYTES) throw notJai(server);
    text += decoder.decode(piece, { stream: true });
  }
  if (response.ok && text === "") return {};
  const answer = readObject(text);
  if (answer === null) throw notJai(server);
  if (!response.ok) throw new ServerError(response.status, answer);
  return answer;
}

/** A response's body. @throws an error with a one-line message, or the signal's reason */
async function* piecesOf(
  { url }: Server,
  { body }: Response,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    if (body !== null) yield* body as AsyncIterable<Uint8Array>;
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw new Error(`the connection to ${url} broke: ${reasonOf(error)}`);
  }
}

function unreachable({ url }: Server, error: unknown, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  return new Error(`no answer from ${url}: ${reasonOf(error)}; "jai serve" starts a server`);
}

function reasonOf(error: unknown): string {
  const { cause, message } = error as Error & { cause?: NodeJS.ErrnoException };
  // fetch refuses some ports itself, with a cause that has no code.
  return cause?.code ?? cause?.message ?? message;
}

export function notJai({ url }: Server): Error {
  return new Error(`expected a jai-server at ${url}, got answers of another kind`);
}

export function readObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** What an error says: a text, or a list of fields that are wrong. Any server may have written it. */
function describe(detail: unknown): string {
  if (typeof detail === "string") return detail;
  if (!Array.isArray(detail)) return JSON.stringify(detail) ?? "no reason";
  return detail
    .map((one) => {
      const { loc, msg } = (one ?? {}) as { loc?: unknown; msg?: unknown };
      const field = Array.isArray(loc) ? `${loc.at(-1)}: ` : "";
      return field + (typeof msg === "string" ? msg : JSON.stringify(one));
    })
    .join("; ");
}
