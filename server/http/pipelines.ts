import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Turns } from "../turns.js";

/** The most unanswered requests of one connection. */
const MOST = 32;
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
  /** Whether a request beyond MOST has come. That one gets no answer; the connection closes after the answers before it. */
  isFull: boolean;
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
  // Connections take turns, so that a flood on one doesn't delay the first request of another.
  const turns = new Turns();
  return (req, res) => {
    const { socket } = req;
    // Node still parses what it received before the connection was closed.
    if (socket.destroyed) return;
    const line = lines.get(socket) ?? open(socket);
    if (line.isFull || line.waiting.length + line.begun.size >= MOST) return refuse(socket, line);
    line.waiting.push({ req, res });
    advance(socket, line);
  };

  function open(socket: Socket): Line {
    const line: Line = { waiting: [], begun: new Set(), isFull: false };
    lines.set(socket, line);
    // Node tells only the first response. The others would keep what they hold for ever.
    socket.once("close", () => {
      for (const res of line.begun) if (res.socket !== socket) res.destroy().emit("close");
    });
    return line;
  }

  function advance(socket: Socket, line: Line): void {
    while (line.waiting.length > 0 && !socket.destroyed && unread(socket, line) < UNREAD_BYTES) {
      const { req, res } = line.waiting.shift()!;
      line.begun.add(res);
      closeIfStalled(res, stallMs);
      res.once("close", () => {
        line.begun.delete(res);
        if (line.isFull && line.begun.size + line.waiting.length === 0) socket.destroySoon();
        else advance(socket, line);
      });
      void turns.take(() => socket.destroyed || handler(req, res), socket);
    }
  }
}

function refuse(socket: Socket, line: Line): void {
  line.isFull = true;
  const last = line.waiting.at(-1)?.res ?? [...line.begun].at(-1);
  if (last && !last.headersSent) last.shouldKeepAlive = false;
  socket.pause();
  stopParsing(socket);
}

/** Means to Node's parser that what follows is not HTTP. */
const NOT_HTTP = 2;

/**
 * Drops what was received but not parsed. Node reads 64 KB at a time, which may hold a thousand requests. Parsing them, and
 * aborting them when the connection closes, takes up to 30 ms for each connection. Node documents no way to stop its parser,
 * so this uses an internal property. If a later version has no such property, the rest is parsed, but not answered.
 */
function stopParsing(socket: Socket): void {
  const { parser } = socket as { parser?: { onIncoming?: (req: { upgrade: boolean }) => number } };
  if (!parser?.onIncoming) return;
  parser.onIncoming = (req) => {
    // Node 22 destroys the socket of an upgrade that nobody takes, with all answers that are still to come.
    req.upgrade = false;
    return NOT_HTTP;
  };
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
