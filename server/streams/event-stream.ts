import type { ServerResponse } from "node:http";
import type { PublicError } from "../errors/errors.js";
import type { Finished } from "../pool/pool.js";
import type { Standing } from "../queue/ticket.js";
import { EventResponse, type EventStreamOptions } from "./event-response.js";
import type { Delta, Events } from "./events.js";

/** Interval of the heartbeats, in milliseconds. A comment is sent after two to three beats without an event. */
const BEAT_MS = 5000;
const QUIET_BEATS = 2;

/** How much of a sequence was passed to the stream, and what of it still waits for room. */
interface Progress {
  /** The delta that waits for room in the socket. */
  pending: Delta;
  /** Totals of all deltas so far, pending ones included. */
  characters: number;
  tokens: number;
  logprobs: number;
  /** The sequence's outcome, while its end waits for room in the socket. */
  outcome: Finished | null;
}

const streams = new WeakMap<ServerResponse, EventStream>();

/**
 * A generation's response of server-sent events. A slow client costs no more memory than its own answer: while its
 * socket is full, a sequence's deltas are merged into one that is sent when there is room, and queue events and
 * comments are dropped.
 */
export class EventStream {
  readonly #events: Events;
  readonly #response: EventResponse;
  readonly #progress = new Map<number, Progress>();

  /** Sends the headers: from here on errors are events too. */
  constructor(res: ServerResponse, events: Events, options: EventStreamOptions = {}) {
    this.#events = events;
    streams.set(res, this);
    const onRoom = () => this.#flush();
    this.#response = new EventResponse(res, { ...options, beatMs: BEAT_MS, quietBeats: QUIET_BEATS, onRoom });
    this.#response.write(events.begin());
  }

  /** The stream of a response, if it has become one. */
  static of(res: ServerResponse): EventStream | undefined {
    return streams.get(res);
  }

  /** Sends the next text of a sequence. */
  delta(sequence: number, delta: Delta): void {
    this.#take(this.#of(sequence), delta);
    this.#flush();
  }

  /** Sends the request's position in the queue, unless the socket is full. */
  queue(standing: Standing): void {
    if (this.#response.isOpen) this.#response.write(this.#events.queue(standing));
  }

  /** Sends the rest of a sequence's text beyond its deltas, and its end. */
  end(sequence: number, outcome: Finished): void {
    const progress = this.#of(sequence);
    this.#take(progress, {
      text: outcome.generated.slice(progress.characters),
      tokens: outcome.completionTokens - progress.tokens,
      logprobs: outcome.logprobs?.slice(progress.logprobs) ?? [],
    });
    progress.outcome = outcome;
    this.#flush();
  }

  /** Ends the stream with the whole answer. */
  finish(answer: object): void {
    this.#close(this.#events.done(answer));
  }

  fail(error: PublicError): void {
    this.#close(this.#events.fail(error));
  }

  #of(sequence: number): Progress {
    let progress = this.#progress.get(sequence);
    if (progress === undefined) {
      progress = { pending: nothing(), characters: 0, tokens: 0, logprobs: 0, outcome: null };
      this.#progress.set(sequence, progress);
    }
    return progress;
  }

  #take(progress: Progress, { text, tokens, logprobs }: Delta): void {
    progress.characters += text.length;
    progress.tokens += tokens;
    progress.logprobs += logprobs.length;
    progress.pending.text += text;
    progress.pending.tokens += tokens;
    progress.pending.logprobs.push(...logprobs);
  }

  #close(last: string): void {
    this.#response.end(this.#takePending() + last);
  }

  #flush(): void {
    if (this.#response.isOpen) this.#response.write(this.#takePending());
  }

  #takePending(): string {
    let text = "";
    for (const [sequence, progress] of this.#progress) {
      if (progress.pending.tokens > 0) {
        text += this.#events.delta(sequence, progress.pending);
        progress.pending = nothing();
      }
      if (progress.outcome !== null) {
        text += this.#events.end(sequence, progress.outcome);
        progress.outcome = null;
      }
    }
    return text;
  }
}

function nothing(): Delta {
  return { text: "", tokens: 0, logprobs: [] };
}
