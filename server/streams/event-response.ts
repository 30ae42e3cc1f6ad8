import type { ServerResponse } from "node:http";

/** Calls back again and again, every so many milliseconds, until the function that it returns is called. */
export type Every = (ms: number, callback: () => void) => () => void;

export interface EventStreamOptions {
  /** A client whose connection takes not one byte for so many milliseconds is given up. Default: a minute. */
  stallMs?: number;
  /** Makes the heartbeats; for tests. */
  every?: Every;
}

export interface EventResponseOptions extends EventStreamOptions {
  /** Milliseconds between two beats. */
  beatMs: number;
  /** So many beats may pass without an event before a comment goes out. */
  quietBeats: number;
  /** Called at every beat, and when a client that was slow takes more. */
  onRoom: () => void;
}

const STALL_MS = 60_000;

/** One event. JSON has no line breaks of its own, so one `data` line holds it. */
export function event(data: object, { name, id }: { name?: string; id?: string } = {}): string {
  const head = (name === undefined ? "" : `event: ${name}\n`) + (id === undefined ? "" : `id: ${id}\n`);
  return `${head}data: ${JSON.stringify(data)}\n\n`;
}

/**
 * A response of server-sent events
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html). Gives a client up that takes nothing for `stallMs`; comments
 * keep a connection alive on which there is nothing to say.
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
      // A proxy that compresses would hold the events back until its buffer is full.
      "Cache-Control": "no-cache, no-transform",
      // Without it nginx collects the events.
      "X-Accel-Buffering": "no",
    });
    res.flushHeaders();
    // The time counts from what leaves the socket last; heartbeats make sure that something does. Node's own handler
    // destroys the socket.
    res.setTimeout(stallMs);
    // Before Node's own listener, which sets the time for which an idle connection is kept.
    res.prependOnceListener("finish", () => res.socket?.setTimeout(0));
    res.on("drain", onRoom);
    this.#stopBeat = every(beatMs, () => this.#beat());
    res.once("close", this.#stopBeat);
  }

  /** Whether what is written goes out now. */
  get isOpen(): boolean {
    return !this.#res.writableNeedDrain && !this.#res.destroyed;
  }

  /** Writes whole events, or nothing. */
  write(events: string): void {
    if (events === "") return;
    this.#beats = 0;
    this.#res.write(events);
  }

  /** Ends the stream, with these as its last events. */
  end(events: string): void {
    this.stop();
    if (!this.#res.destroyed) this.#res.end(events);
  }

  /** Ends the beats. */
  stop(): void {
    this.#stopBeat();
  }

  #beat(): void {
    const { quietBeats, onRoom } = this.#options;
    onRoom();
    if (++this.#beats > quietBeats && this.isOpen) this.write(": waiting\n\n");
  }
}

/** By a timer that doesn't keep the process alive. */
function everyUnreferenced(ms: number, callback: () => void): () => void {
  const timer = setInterval(callback, ms).unref();
  return () => clearInterval(timer);
}
