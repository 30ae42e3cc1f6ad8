import { randomUUID } from "node:crypto";
import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type ErrorCode, PublicError } from "../errors/errors.js";
import { worded } from "../errors/openai-error.js";
import { linger } from "./lingering-close.js";

const codes: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: "headers_too_large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "body_too_large",
  ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
};

/** Node's code for a connection that ends within a request. */
const ENDS_EARLY = "HPE_INVALID_EOF_STATE";
const endsEarly = ({ code }: NodeJS.ErrnoException) => code === ENDS_EARLY;

/** A request that was refused here. */
export interface ProtocolRefusal {
  /** The answer's X-Request-Id. */
  id: string;
  error: PublicError;
  /** Null if its headers could not be read. */
  request: IncomingMessage | null;
  /** The one that the app has begun; null if the app has not seen the request. */
  response: ServerResponse | null;
}

type OnRefused = (refusal: ProtocolRefusal) => void;

/**
 * Gives errors that Node detects before the app sees the request the form of the app's own. Where the headers can't
 * be read, the path is unknown, and the answer has FastAPI's form, not OpenAI's.
 */
export function answerProtocolErrors(server: Server, onRefused: OnRefused = () => {}): void {
  // More bytes of a request that can't be read only raise its error again.
  const failed = new WeakSet<Duplex>();
  const fail = (error: NodeJS.ErrnoException, socket: Duplex, request: IncomingMessage | null = null) => {
    if (failed.has(socket)) return;
    failed.add(socket);
    answerError(error, socket, { request, onRefused });
  };
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (error.code === "ECONNRESET") socket.destroy(error);
    else fail(error, socket);
  });
  const latest = new WeakMap<Socket, IncomingMessage>();
  server.on("request", (req) => latest.set(req.socket, req));
  server.on("connection", (socket) => {
    socket.once("end", () => {
      // Node tells of a request that ends early, unless its headers ask for an upgrade.
      if (latest.get(socket)?.complete === false && responseOf(socket) !== null)
        fail(Object.assign(new Error("aborted"), { code: ENDS_EARLY }), socket);
    });
  });
  // Without a listener Node resets the connection. By now Node has removed its own listeners from the socket. Answers to
  // earlier requests still need the one for "drain".
  server.on("connect", (req, socket) => {
    socket.on("error", () => {}).on("drain", () => responseOf(socket)?.emit("drain"));
    fail(new Error("CONNECT"), socket, req);
  });
  server.on("checkContinue", (req: IncomingMessage, res: ServerResponse) => {
    // Behind another answer, Node would write it between the head and the body of this one. It may be left out.
    if (responseOf(req.socket) === res) res.writeContinue();
    server.emit("request", req, res);
  });
  server.on("checkExpectation", (req: IncomingMessage, res: ServerResponse) => {
    const error = new PublicError("expectation_failed");
    const { status, body } = worded(error, pathOf(req));
    const id = randomUUID();
    onRefused({ id, error, request: req, response: null });
    // The client may or may not send the body now, so the next request's start can't be known: close.
    res.statusCode = status;
    for (const [name, value] of Object.entries(headers(id))) res.setHeader(name, value);
    res.setHeader("Connection", "close").end(JSON.stringify(body));
  });
}

/** What is known of a request that is refused, besides its error. */
interface Refused {
  request: IncomingMessage | null;
  onRefused: OnRefused;
}

function answerError(error: NodeJS.ErrnoException, socket: Duplex, refused: Refused): void {
  // The connection is being closed already, after its last answer.
  if (socket.writableEnded) return;
  const response = responseOf(socket);
  if (response?.req.complete) {
    // The error is in a later request on the connection: those before it get their answers first.
    response.once("finish", () => answerError(error, socket, refused));
    return;
  }
  // Part of the request's own answer may be out, and nothing else may be written into it. An answer that is complete is sent
  // to its end; one that is not ends with the connection.
  if (response?.writableEnded) response.once("finish", () => linger(socket as Socket));
  else if (!socket.writable || response?.headersSent) socket.destroy(error);
  else {
    const id = (response?.getHeader("X-Request-Id") as string | undefined) ?? randomUUID();
    const refusal = new PublicError(codeOf(error, response));
    // Most of those whose body ends early have left and read no answer: the app counts them among the cancelled.
    if (response === null || !endsEarly(error))
      refused.onRefused({ id, error: refusal, request: response?.req ?? refused.request, response });
    socket.write(rawAnswer(id, refusal, response));
    linger(socket as Socket);
  }
}

function codeOf({ code = "" }: NodeJS.ErrnoException, response: ServerResponse | null): ErrorCode {
  const known = codes[code] ?? "malformed_request";
  // Only a POST takes a body.
  return known === "body_too_large" && response?.req.method !== "POST" ? "malformed_request" : known;
}

/** The response to the first request that is not answered yet, if any. Node's own handler reads the same property. */
function responseOf(socket: Duplex & { _httpMessage?: ServerResponse | null }): ServerResponse | null {
  return socket._httpMessage ?? null;
}

/** The request's full path: `url` is shortened by Express for nested routers, `originalUrl` is not. */
export function pathOf(req: IncomingMessage & { originalUrl?: string }): string {
  return (req.originalUrl ?? req.url ?? "").split("?", 1)[0]!;
}

function headers(id: string): Record<string, string> {
  return { "Content-Type": "application/json; charset=utf-8", "X-Request-Id": id };
}

/** @param id the app's own if it has given one: the log shows it */
function rawAnswer(id: string, error: PublicError, response: ServerResponse | null): string {
  const { status, body } = worded(error, response === null ? "" : pathOf(response.req));
  const text = JSON.stringify(body);
  const lines = {
    ...headers(id),
    "Content-Length": Buffer.byteLength(text),
    Connection: "close",
  };
  const isHead = response?.req.method === "HEAD";
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...Object.entries(lines).map(([name, value]) => `${name}: ${value}`),
    "",
    isHead ? "" : text,
  ].join("\r\n");
}
