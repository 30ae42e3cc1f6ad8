import type { Server } from "node:http";
import type { Socket } from "node:net";

/** How long a client may take to notice that the connection is closed. */
const LINGER_MS = 1000;

/**
 * Closes connections in two steps, as RFC 9112 (9.6) asks: first the writing half, then, when the client has ended its
 * half too or after a second, the rest. Node closes both at once. If bytes of the client are unread then, or come later,
 * the system resets the connection, and the reset may overtake the last answer.
 */
export function closeLingering(server: Server): void {
  // Node calls this method after the last answer on a connection.
  server.on("connection", (socket) => {
    socket.destroySoon = () => linger(socket);
  });
}

/** Ends the writing half; all that the client still sends is dropped. */
export function linger(socket: Socket): void {
  if (socket.writable) socket.end();
  const drop = () => {};
  // The first listener of another than Node's gets the bytes that the parser has read by itself so far.
  socket.on("data", drop);
  for (const listener of socket.listeners("data"))
    if (listener !== drop) socket.removeListener("data", listener as () => void);
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  const close = () => {
    clearTimeout(timer);
    if (socket.writableFinished) socket.destroy();
    else socket.once("finish", () => socket.destroy());
  };
  if (socket.readableEnded) close();
  else socket.once("end", close);
  socket.once("close", () => clearTimeout(timer));
}
