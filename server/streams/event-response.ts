import type { ServerResponse } from "node:http";

/** Like setInterval: calls back every `ms` milliseconds. Returns a function that stops it. */
export type Every = (ms: number, callback: () => void) => () => void;

export interface EventStreamOptions {
  /** A connection that takes no byte for this many milliseconds is closed. Default: one minute. */
  stallMs?: number;
  /** Timer of the heartbeats; for tests. */
  every?: Every;
}

export interface EventResponseOptions extends EventStreamOptions {
  /** Milliseconds between two beats. */
  beatMs: number;
  /** How many beats may pass without an event before a comment is sent. */
  quietBeats: number;
  /** Called at every beat, and when a slow client's socket has room again. */
  onRoom: () => void;
}

const STALL_MS = 60_000;

/** One event. Its JSON has no line breaks, so it needs only one `data` line. */
export function event(data: object, { name, id }: { name?: string; id?: string } = {}): string {
  const head = (name === undefined ? "" : `event: ${name}\n`) + (id === undefined ? "" : `id: ${id}\n`);
  return `${head}data: ${JSON.stringify(data)}\n\n`;
}

/**
 * A response of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). It closes the
 * connection of a client that takes nothing for `stallMs`. Comments keep quiet connections alive.
 */
export class EventResponse {
  readonly #res: ServerResponse;
  readonly #options: EventResponseOptions;
  readonly #stopBeat: () => void;
  #beats = 0;

  /** Sends the headers: from here on errors are events too. */
  constructor(res: ServerResponse, options: EventResponseOptions) {
    const { beatMs, onRoom, stallMs = STALL_MS, every = everyUnreferenced } = options;
    this.#res = res;
    this.#options = options;
    res.writeHead(200, {
      "Content-Type": "text/event-stream; charset=utf-8",
      // no-transform: a compressing proxy would hold events back until its buffer is full.
      "Cache-Control": "no-cache, no-transform",
      // Without this header nginx buffers the events.
      "X-Accel-Buffering": "no",
    });
    res.flushHeaders();
    // The timeout counts from the last byte that the socket sent; heartbeats make sure that there are bytes to send.
    // Node's own handler destroys the socket.
    res.setTimeout(stallMs);
    // Ends the stall timeout. Runs before Node's own listener, which then sets the keep-alive timeout.
    res.prependOnceListener("finish", () => res.socket?.setTimeout(0));
    res.on("drain", onRoom);
    this.#stopBeat = every(beatMs, () => this.#beat());
    res.once("close", this.#stopBeat);
  }

  /** Whether the socket has room, so that a write is sent now. */
  get isOpen(): boolean {
    return !this.#res.writableNeedDrain && !this.#res.destroyed;
  }

  /** @param events whole events, or an empty text */
  write(events: string): void {
    if (events === "") return;
    this.#beats = 0;
    this.#res.write(events);
  }

  /** Ends the stream with these last events. */
  end(events: string): void {
    this.stop();
    if (!this.#res.destroyed) this.#res.end(events);
  }

  /** Stops the heartbeats. */
  stop(): void {
    this.#stopBeat();
  }

  #beat(): void {
    const { quietBeats, onRoom } = this.#options;
    onRoom();
    if (++this.#beats > quietBeats && this.isOpen) this.write(": waiting\n\n");
  }
}

/** An interval that doesn't keep the process alive. */
function everyUnreferenced(ms: number, callback: () => void): () => void {
  const timer = setInterval(callback, ms).unref();
  return () => clearInterval(timer);
}
