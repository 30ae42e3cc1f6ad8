import { randomUUID } from "node:crypto";
import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type ErrorCode, PublicError } from "../errors/errors.js";
import { worded } from "../errors/openai-error.js";

const codes: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: "headers_too_large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "body_too_large",
  ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
};

/**
 * Gives the errors that Node meets in the app's stead the same form as the app's own. Where the headers themselves can't
 * be read there is no path to tell the form by: it is that of most.
 */
export function answerProtocolErrors(server: Server): void {
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    // It is being ended already, of an error before this one; more bytes of the same request only repeat it.
    if (socket.writableEnded) return;
    const response = responseOf(socket);
    // Nothing else may fall into an answer of which part is sent.
    if (!socket.writable || error.code === "ECONNRESET" || response?.headersSent) {
      socket.destroy(error);
      return;
    }
    const answer = rawAnswer(codes[error.code ?? ""] ?? "malformed_request", response);
    socket.end(answer, () => socket.destroy());
  });
  server.on("checkExpectation", (req: IncomingMessage, res: ServerResponse) => {
    const { status, body } = worded(new PublicError("expectation_failed"), pathOf(req));
    // Whether the body still comes is the client's choice, so nothing can follow on this connection.
    res.statusCode = status;
    for (const [name, value] of Object.entries(headers())) res.setHeader(name, value);
    res.setHeader("Connection", "close").end(JSON.stringify(body));
  });
}

/** To the request whose body is being read, if there is one; Node's own handler looks at the same property. */
function responseOf(socket: Duplex & { _httpMessage?: ServerResponse | null }): ServerResponse | null {
  return socket._httpMessage ?? null;
}

/** As it came: Express shortens `url` for the routers below it. */
function pathOf(req: IncomingMessage & { originalUrl?: string }): string {
  return (req.originalUrl ?? req.url ?? "").split("?", 1)[0]!;
}

function headers(id: string = randomUUID()): Record<string, string> {
  return { "Content-Type": "application/json; charset=utf-8", "X-Request-Id": id };
}

function rawAnswer(code: ErrorCode, response: ServerResponse | null): string {
  const { status, body } = worded(new PublicError(code), response === null ? "" : pathOf(response.req));
  const text = JSON.stringify(body);
  const lines = {
    // The id that the app has given it, which may be in the log.
    ...headers(response?.getHeader("X-Request-Id") as string | undefined),
    "Content-Length": Buffer.byteLength(text),
    Connection: "close",
  };
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...Object.entries(lines).map(([name, value]) => `${name}: ${value}`),
    "",
    text,
  ].join("\r\n");
}
