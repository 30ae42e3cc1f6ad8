import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Every response begins with this, whatever it will be. */
const OPENING = "HTTP/1.1 ";
/** From one probe to the next; each is this many times longer than the one before. */
const FIRST_PROBE_MS = 25;
const GROWTH = 3;

type HttpSocket = Socket & { _httpMessage?: ServerResponse | null };

/**
 * Answers a client that ends its writing half when its request is sent. TCP says the same of it as of one that closed the
 * connection, until something is sent there: only the latter's system resets the connection, which closes the socket here.
 * So a bit of the response is sent ahead, again and again: the first bytes of its status line, or an empty comment where
 * it is an event stream that has begun. All in all the client gets the very bytes that it would have got at once.
 */
export function answerHalfClosed(server: Server): void {
  // Node's own switch, which its types don't name: else it ends the connection with the request's last byte.
  (server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
  // Node's own listener comes before this one, and has ended the connection where nothing is under way.
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
    // A pipelined request's turn to be answered has come.
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

/** Sends one more byte of the response that `sent` bytes are sent of; returns how many it sent. */
function sendAhead(socket: HttpSocket, sent: number): number {
  if (sent === OPENING.length) return 0;
  delete (socket as Partial<Socket>).write;
  socket.write(OPENING[sent]!);
  // The rest of it, when it comes.
  socket.write = ((chunk: string | Buffer, ...others: [BufferEncoding]) => {
    delete (socket as Partial<Socket>).write;
    return socket.write(chunk.slice(sent + 1) as string, ...others);
  }) as Socket["write"];
  return 1;
}

function isEventStream(response: ServerResponse): boolean {
  return String(response.getHeader("Content-Type")).startsWith("text/event-stream");
}
