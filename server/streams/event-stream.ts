import type { ServerResponse } from "node:http";
import type { PublicError } from "../errors/errors.js";
import type { Finished } from "../pool/pool.js";
import type { Standing } from "../queue/ticket.js";
import type { Delta, Events } from "./events.js";

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
export const STALL_MS = 60_000;

/** What a sequence has written. */
interface Told {
  /** The delta that waits for room. */
  pending: Delta;
  /** Of all deltas that were taken so far. */
  characters: number;
  tokens: number;
  logprobs: number;
  /** Its end, while that waits for room. */
  outcome: Finished | null;
}

/** Makes a response one of server-sent events, which gives up a client that takes nothing for `stallMs`. */
export function beginEvents(res: ServerResponse, stallMs: number): void {
  res.writeHead(200, {
    "Content-Type": "text/event-stream; charset=utf-8",
    // A proxy that compresses would hold the events back until its buffer is full.
    "Cache-Control": "no-cache, no-transform",
    // nginx would collect the events, else.
    "X-Accel-Buffering": "no",
  });
  res.flushHeaders();
  // It counts what leaves the socket; heartbeats make sure that something does. Node's own handler destroys the socket.
  res.setTimeout(stallMs);
  // Before Node's own listener, which sets the time for which an idle connection is kept.
  res.prependOnceListener("finish", () => res.socket?.setTimeout(0));
}

const streams = new WeakMap<ServerResponse, EventStream>();

/**
 * A response of server-sent events. A client that reads slowly costs no more memory than its own answer: while its socket
 * is full, a sequence's deltas are merged into one that goes out when there is room, and what is only of the moment is
 * left out.
 */
export class EventStream {
  readonly #res: ServerResponse;
  readonly #events: Events;
  readonly #stopBeat: () => void;
  readonly #told = new Map<number, Told>();
  #quietBeats = 0;

  /** Sends the headers: from here on errors are events too. */
  constructor(
    res: ServerResponse,
    events: Events,
    { stallMs = STALL_MS, every = everyUnreferenced }: EventStreamOptions = {},
  ) {
    this.#res = res;
    this.#events = events;
    streams.set(res, this);
    beginEvents(res, stallMs);
    res.on("drain", () => this.#flush());
    this.#stopBeat = every(BEAT_MS, () => this.#beat());
    res.once("close", this.#stopBeat);
    this.#write(events.begin());
  }

  /** The stream that a response has become, if it has. */
  static of(res: ServerResponse): EventStream | undefined {
    return streams.get(res);
  }

  /** Sends text of a sequence as it comes. */
  delta(sequence: number, delta: Delta): void {
    this.#take(this.#of(sequence), delta);
    if (this.#open) this.#flush();
  }

  /** Says where the request stands in the queue, if there is room to say it. */
  queue(standing: Standing): void {
    if (this.#open) this.#write(this.#events.queue(standing));
  }

  /** Tells what a sequence's text has beyond its deltas, and that it has ended. */
  end(sequence: number, outcome: Finished): void {
    const told = this.#of(sequence);
    this.#take(told, {
      text: outcome.generated.slice(told.characters),
      tokens: outcome.completionTokens - told.tokens,
      logprobs: outcome.logprobs?.slice(told.logprobs) ?? [],
    });
    told.outcome = outcome;
    if (this.#open) this.#flush();
  }

  /** Ends the stream with the whole answer. */
  finish(answer: object): void {
    this.#close(this.#events.done(answer));
  }

  fail(error: PublicError): void {
    this.#close(this.#events.fail(error));
  }

  /** Whether what is written goes out now. */
  get #open(): boolean {
    return !this.#res.writableNeedDrain && !this.#res.destroyed;
  }

  #of(sequence: number): Told {
    let told = this.#told.get(sequence);
    if (told === undefined) {
      told = { pending: nothing(), characters: 0, tokens: 0, logprobs: 0, outcome: null };
      this.#told.set(sequence, told);
    }
    return told;
  }

  #take(told: Told, { text, tokens, logprobs }: Delta): void {
    told.characters += text.length;
    told.tokens += tokens;
    told.logprobs += logprobs.length;
    told.pending.text += text;
    told.pending.tokens += tokens;
    told.pending.logprobs.push(...logprobs);
  }

  #close(last: string): void {
    this.#stopBeat();
    if (!this.#res.destroyed) this.#res.end(this.#takePending() + last);
  }

  #beat(): void {
    if (++this.#quietBeats > 2 && this.#open) this.#write(": waiting\n\n");
  }

  #flush(): void {
    this.#write(this.#takePending());
  }

  #takePending(): string {
    let text = "";
    for (const [sequence, told] of this.#told) {
      if (told.pending.tokens > 0) {
        text += this.#events.delta(sequence, told.pending);
        told.pending = nothing();
      }
      if (told.outcome !== null) {
        text += this.#events.end(sequence, told.outcome);
        told.outcome = null;
      }
    }
    return text;
  }

  #write(text: string): void {
    if (text === "") return;
    this.#quietBeats = 0;
    this.#res.write(text);
  }
}

function nothing(): Delta {
  return { text: "", tokens: 0, logprobs: [] };
}

/** By a timer that doesn't keep the process alive. */
export function everyUnreferenced(ms: number, callback: () => void): () => void {
  const timer = setInterval(callback, ms).unref();
  return () => clearInterval(timer);
}
