import type { ServerResponse } from "node:http";
import type { PublicError } from "../errors/errors.js";
import type { Finished } from "../pool/pool.js";
import type { Standing } from "../queue/ticket.js";
import { EventResponse, type EventStreamOptions } from "./event-response.js";
import type { Delta, Events } from "./events.js";

/** Interval of the heartbeats, in milliseconds. A comment is sent after two to three beats without an event. */
const BEAT_MS = 5000;
const QUIET_BEATS = 2;

/** What the stream has sent of a sequence. */
interface Told {
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
  readonly #told = new Map<number, Told>();

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
    const told = this.#of(sequence);
    this.#take(told, {
      text: outcome.generated.slice(told.characters),
      tokens: outcome.completionTokens - told.tokens,
      logprobs: outcome.logprobs?.slice(told.logprobs) ?? [],
    });
    told.outcome = outcome;
    this.#flush();
  }

  /** Ends the stream with the whole answer. */
  finish(answer: object): void {
    this.#close(this.#events.done(answer));
  }

  fail(error: PublicError): void {
    this.#close(this.#events.fail(error));
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
    this.#response.end(this.#takePending() + last);
  }

  #flush(): void {
    if (this.#response.isOpen) this.#response.write(this.#takePending());
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
}

function nothing(): Delta {
  return { text: "", tokens: 0, logprobs: [] };
}
