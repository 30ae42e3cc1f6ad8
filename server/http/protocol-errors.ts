import { type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type ErrorCode, errors } from "../errors.js";

const codes: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: "headers_too_large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "body_too_large",
  ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
};

/** Gives the errors that Node meets before there is a request for the app the same form as the app's own. */
export function answerProtocolErrors(server: Server): void {
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    // It is being ended already, of an error before this one; more bytes of the same request only repeat it.
    if (socket.writableEnded) return;
    if (!socket.writable || error.code === "ECONNRESET" || isAnswering(socket)) {
      socket.destroy(error);
      return;
    }
    socket.end(rawAnswer(codes[error.code ?? ""] ?? "malformed_request"), () => socket.destroy());
  });
  server.on("checkExpectation", (_req, res: ServerResponse) => {
    const { status, detail } = errors.expectation_failed;
    // Whether the body still comes is the client's choice, so nothing can follow on this connection.
    res.statusCode = status;
    res.setHeader("Content-Type", "application/json; charset=utf-8").setHeader("Connection", "close");
    res.end(JSON.stringify({ detail }));
  });
}

/** Whether part of an answer is sent, into which nothing else may fall; Node's own handler looks at the same property. */
function isAnswering(socket: Duplex & { _httpMessage?: ServerResponse | null }): boolean {
  return socket._httpMessage?.headersSent ?? false;
}

function rawAnswer(code: ErrorCode): string {
  const { status, detail } = errors[code];
  const body = JSON.stringify({ detail });
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "Content-Type: application/json; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
    "",
    body,
  ].join("\r\n");
}
