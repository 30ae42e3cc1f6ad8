import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** The bytes that every response begins with, whatever its status. */
const OPENING = "HTTP/1.1 ";
/** Pause before the second probe; each later pause is GROWTH times longer. */
const FIRST_PROBE_MS = 25;
const GROWTH = 3;

type HttpSocket = Socket & { _httpMessage?: ServerResponse | null };

/**
 * Answers clients that end their writing half once the request is sent. To the server this looks like a closed
 * connection (both send a FIN) until it sends something: a closed connection answers with a reset, which closes the
 * socket here. So this code probes with early bytes of the response: the first bytes of the status line, one at a time,
 * or an empty comment in an event stream that has begun. The response as a whole keeps its bytes.
 */
export function answerHalfClosed(server: Server): void {
  // A switch of Node's that its types lack. Without it Node ends the connection when the client ends its half.
  (server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
  // Node's own listener runs before this one, and has ended the connection if no request is under way.
  server.on("connection", (socket: HttpSocket) => socket.once("end", () => probe(socket)));
}

function probe(socket: HttpSocket): void {
  let response: ServerResponse | null = null;
  let sent = 0;
  let timer: NodeJS.Timeout;
  socket.once("close", () => clearTimeout(timer));
  const next = (ms: number): void => {
    if (socket.destroyed || socket.writableEnded) return;
    const current = socket._httpMessage ?? null;
    // The response changes when the next pipelined request is being answered.
    if (current !== response) [response, sent] = [current, 0];
    if (current !== null) {
      if (!current.headersSent) sent += sendAhead(socket, sent);
      else if (isEventStream(current) && !current.writableEnded && !current.writableNeedDrain)
        current.write(":\n\n");
    }
    timer = setTimeout(next, ms, ms * GROWTH).unref();
  };
  next(FIRST_PROBE_MS);
}

/** Sends the next byte of the status line, of which `sent` bytes are out. @returns how many bytes it sent: 1 or 0 */
function sendAhead(socket: HttpSocket, sent: number): number {
  if (sent === OPENING.length) return 0;
  delete (socket as Partial<Socket>).write;
  socket.write(OPENING[sent]!);
  // The response's first write starts with the status line: skip the bytes that are out.
  socket.write = ((chunk: string | Buffer, ...others: [BufferEncoding]) => {
    delete (socket as Partial<Socket>).write;
    return socket.write(chunk.slice(sent + 1) as string, ...others);
  }) as Socket["write"];
  return 1;
}

function isEventStream(response: ServerResponse): boolean {
  return String(response.getHeader("Content-Type")).startsWith("text/event-stream");
}
