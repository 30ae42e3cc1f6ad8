import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Turns } from "../turns.js";

/** The most unanswered requests of one connection. */
const MOST = 32;
/** A connection that sends this many more is cut off. */
const FLOOD = 128;
/** A connection's next request waits while this many bytes of its answers are not taken. */
const UNREAD_BYTES = 64 * 1024;
/** A connection that takes nothing of an answer for so many milliseconds is closed. */
const STALL_MS = 60_000;

type Handler = (req: IncomingMessage, res: ServerResponse) => unknown;

/** One connection's requests. */
interface Line {
  waiting: { req: IncomingMessage; res: ServerResponse }[];
  /** Begun, and not yet taken by the client to the last byte. */
  begun: Set<ServerResponse>;
  /** Requests beyond MOST: they are not answered, and the connection closes after those before them. */
  excess: number;
}

export interface PipelineOptions {
  stallMs?: number;
}

/**
 * Bounds what one connection can make the server hold. HTTP/1.1 lets a client send requests without reading answers, and
 * a hundred bytes of request can ask for a megabyte. So few requests of a connection are under way, none begins while
 * answers wait to be read, and a connection that reads nothing is closed. A client must send requests again that were
 * not answered when the connection closed (RFC 9112, 9.3.2).
 */
export function boundPipelines(
  handler: Handler,
  { stallMs = STALL_MS }: PipelineOptions = {},
): RequestListener {
  const lines = new WeakMap<Socket, Line>();
  // Requests behind others: a connection's flood must not take a turn of the event loop for itself.
  const turns = new Turns();
  return (req, res) => {
    const { socket } = req;
    // It was cut off, and Node still parses what it had received.
    if (socket.destroyed) return;
    const line = lines.get(socket) ?? { waiting: [], begun: new Set(), excess: 0 };
    lines.set(socket, line);
    if (line.waiting.length + line.begun.size >= MOST || line.excess > 0) return refuse(socket, line);
    line.waiting.push({ req, res });
    advance(socket, line);
  };

  function advance(socket: Socket, line: Line): void {
    while (line.waiting.length > 0 && !socket.destroyed && unread(socket, line) < UNREAD_BYTES) {
      const { req, res } = line.waiting.shift()!;
      const isFirst = line.begun.size === 0;
      line.begun.add(res);
      closeIfStalled(res, stallMs);
      res.once("close", () => {
        line.begun.delete(res);
        if (line.excess > 0 && line.begun.size + line.waiting.length === 0) socket.destroySoon();
        else advance(socket, line);
      });
      if (isFirst) handler(req, res);
      else void turns.take(() => socket.destroyed || handler(req, res));
    }
  }
}

/** Stops reading the connection. */
function refuse(socket: Socket, line: Line): void {
  const last = line.waiting.at(-1)?.res ?? [...line.begun].at(-1);
  if (last && !last.headersSent) last.shouldKeepAlive = false;
  socket.pause();
  // What is left of the received bytes would still be read, and a few bytes become some kilobytes of objects.
  if (++line.excess > FLOOD) socket.destroy();
}

/** Bytes of answers that the client has not taken. */
function unread(socket: Socket, { begun }: Line): number {
  let bytes = socket.writableLength;
  // The first response's bytes are in the socket, those of the others still in the response.
  for (const res of begun) if (res.socket !== socket) bytes += res.writableLength;
  return bytes;
}

function closeIfStalled(res: ServerResponse, stallMs: number): void {
  // From here on only the client's reading is waited for. Node's own handler destroys the socket.
  const watch = () => {
    if (!res.socket?.timeout || res.socket.timeout > stallMs) res.setTimeout(stallMs);
  };
  res.once("pipe", watch);
  res.once("prefinish", watch);
  // Runs before Node's own listener, which then sets the keep-alive timeout.
  res.prependOnceListener("finish", () => res.socket?.setTimeout(0));
}
