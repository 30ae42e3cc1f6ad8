import { createParser, type EventSourceMessage } from "eventsource-parser";
import { visibleLine } from "../terminal/visible.js";
import type { Server } from "./server.js";

/** The server's own words name headers, which a command has no flags for. */
const KEY_HINT = "; here JAI_API_KEY or --key takes it";

/** The server refused a request, or a stream ended with an error. The message is one line. */
export class ServerError extends Error {
  override name = "ServerError";
  /** The HTTP status; null for an error within a stream. */
  readonly status: number | null;
  /** OpenAI's code, under /v1 alone. */
  readonly code: string | null;

  constructor(status: number | null, body: Record<string, unknown>) {
    const { error } = body as { error?: { message?: unknown; code?: unknown } };
    const what = visibleLine(String(error?.message ?? describe(body.detail)));
    super(
      status === null
        ? `the server stopped the answer: ${what}`
        : `the server answered ${status}: ${what}${status === 401 ? KEY_HINT : ""}`,
    );
    this.status = status;
    this.code = typeof error?.code === "string" ? error.code : null;
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
  const parser = createParser({ onEvent: (event) => void events.push(event), onComment });
  const decoder = new TextDecoder();
  try {
    for await (const piece of response.body) {
      parser.feed(decoder.decode(piece as Uint8Array, { stream: true }));
      yield* events.splice(0);
    }
  } catch (error) {
    throw unreachable(server, error, question.signal);
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
  let text: string;
  try {
    text = await response.text();
  } catch (error) {
    throw unreachable(server, error);
  }
  if (response.ok && text === "") return {};
  const answer = readObject(text);
  if (answer === null) throw notJai(server);
  if (!response.ok) throw new ServerError(response.status, answer);
  return answer;
}

function unreachable({ url }: Server, error: unknown, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  const { cause } = error as { cause?: NodeJS.ErrnoException };
  return new Error(
    `no answer from ${url}: ${cause?.code ?? (error as Error).message}; "jai serve" starts a server`,
  );
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

/** `detail` of an error: a text, or a list of fields that are wrong. */
function describe(detail: unknown): string {
  if (!Array.isArray(detail)) return String(detail);
  return (detail as { loc: unknown[]; msg: string }[])
    .map(({ loc, msg }) => `${loc.at(-1)}: ${msg}`)
    .join("; ");
}
