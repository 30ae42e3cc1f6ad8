import type { ServerResponse } from "node:http";
import type { Standing } from "./queue/ticket.js";

/** Calls back again and again, every so many milliseconds, until the function that it returns is called. */
export type Every = (ms: number, callback: () => void) => () => void;

export interface EventStreamOptions {
  /** A client whose connection takes not one byte for so many milliseconds is given up. */
  stallMs?: number;
  /** Makes the heartbeats; for tests. */
  every?: Every;
}

/** A comment goes out after two to three of these without an event. */
const BEAT_MS = 5000;
const STALL_MS = 60_000;

const streams = new WeakMap<ServerResponse, EventStream>();

/**
 * A response of server-sent events. A client that reads slowly costs no more memory than its own answer: while its socket
 * is full, deltas are merged into one that goes out when there is room, and what is only of the moment is left out.
 */
export class EventStream {
  readonly #res: ServerResponse;
  readonly #stopBeat: () => void;
  #quietBeats = 0;
  /** The delta that waits for room, and all that were taken so far. */
  #pending = { text: "", tokens: 0 };
  #told = { characters: 0, tokens: 0 };

  /** Sends the headers: from here on errors are events too. */
  constructor(
    res: ServerResponse,
    { stallMs = STALL_MS, every = everyUnreferenced }: EventStreamOptions = {},
  ) {
    this.#res = res;
    streams.set(res, this);
    res.writeHead(200, {
      "Content-Type": "text/event-stream; charset=utf-8",
      "Cache-Control": "no-cache",
      // nginx would collect the events, else.
      "X-Accel-Buffering": "no",
    });
    res.flushHeaders();
    // It counts what leaves the socket; heartbeats make sure that something does. Node's own handler destroys the socket.
    res.setTimeout(stallMs);
    // Before Node's own listener, which sets the time for which an idle connection is kept.
    res.prependOnceListener("finish", () => res.socket?.setTimeout(0));
    res.on("drain", () => this.#flush());
    this.#stopBeat = every(BEAT_MS, () => this.#beat());
    res.once("close", this.#stopBeat);
  }

  /** The stream that a response has become, if it has. */
  static of(res: ServerResponse): EventStream | undefined {
    return streams.get(res);
  }

  /** Sends text as it comes, and how many tokens it is of. */
  delta(text: string, tokens: number): void {
    this.#told.characters += text.length;
    this.#told.tokens += tokens;
    this.#pending.text += text;
    this.#pending.tokens += tokens;
    if (this.#open) this.#flush();
  }

  /** Says where the request stands in the queue, if there is room to say it. */
  queue({ position, expectedWait }: Standing): void {
    if (this.#open) this.#write(frame({ position, expected_wait: expectedWait }, "queue"));
  }

  /** Ends the stream with the whole answer, after what its text has beyond the deltas. */
  finish(answer: { generated: string; usage: { completion_tokens: number } }): void {
    const { characters, tokens } = this.#told;
    this.#pending.text += answer.generated.slice(characters);
    this.#pending.tokens += answer.usage.completion_tokens - tokens;
    this.#end(frame(answer, "done"));
  }

  fail(error: { detail: unknown }): void {
    this.#end(frame(error, "error"));
  }

  /** Whether what is written goes out now. */
  get #open(): boolean {
    return !this.#res.writableNeedDrain && !this.#res.destroyed;
  }

  #end(last: string): void {
    this.#stopBeat();
    if (!this.#res.destroyed) this.#res.end(this.#takePending() + last);
  }

  #beat(): void {
    if (++this.#quietBeats > 2 && this.#open) this.#write(": waiting\n\n");
  }

  #flush(): void {
    const text = this.#takePending();
    if (text !== "") this.#write(text);
  }

  #takePending(): string {
    if (this.#pending.tokens === 0) return "";
    const text = frame(this.#pending);
    this.#pending = { text: "", tokens: 0 };
    return text;
  }

  #write(text: string): void {
    this.#quietBeats = 0;
    this.#res.write(text);
  }
}

/** JSON has no line breaks of its own, so one `data` line holds it. */
function frame(data: object, event?: string): string {
  const name = event === undefined ? "" : `event: ${event}\n`;
  return `${name}data: ${JSON.stringify(data)}\n\n`;
}

function everyUnreferenced(ms: number, callback: () => void): () => void {
  const timer = setInterval(callback, ms).unref();
  return () => clearInterval(timer);
}
