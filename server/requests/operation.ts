import type { TokenLogprob } from "../../workers/protocol.js";
import type { HttpError } from "../errors/errors.js";
import type { Finished, Task } from "../pool/pool.js";
import type { Timeouts } from "../queue/deadlines.js";
import type { Standing } from "../queue/ticket.js";

/** What a body asks for, known before anything is computed for it. */
export interface Demand {
  /** How many sequences are generated for it. */
  sequences: number;
  /** Characters that all their prompts have together. */
  promptChars: number;
  /** Tokens that a sequence may get. */
  maxTokens: number;
  stream: boolean;
  /** Higher is sooner; the caller's own where absent. */
  priority?: number | undefined;
  timeouts: Timeouts;
}

/**
 * An operation that generates text: what its bodies ask the engine for, and how it words the answer. It knows neither
 * the queue nor a socket, so that a request and a job are the same to it.
 */
export interface Operation {
  /** Its path in openapi.yaml, whose schema its bodies have passed. */
  readonly path: string;
  measure(body: object): Demand;
  /** Makes the sequences' tasks. @throws HttpError for what the schema can't say against a body */
  prepare(body: object, id: string): Prepared;
}

/** A body, ready for the engine. */
export interface Prepared {
  /** A task for each sequence, in their order, with ids that begin with the request's. */
  tasks: Task[];
  /** The whole response. `outcomes` are those of `tasks`, in the same order. */
  answer(outcomes: readonly Finished[]): object;
  /** Words the response as a stream; made for a single one. */
  events(): Events;
}

/** Text of one sequence as it comes. */
export interface Delta {
  text: string;
  /** How many tokens it is of. */
  tokens: number;
  /** Of those tokens, where the task asked for them. */
  logprobs: TokenLogprob[];
}

/** Words a stream of server-sent events. Each returns whole events, or comments, or nothing. */
export interface Events {
  begin(): string;
  queue(standing: Standing): string;
  delta(sequence: number, delta: Delta): string;
  /** A sequence has ended, and its deltas have told all of it. */
  end(sequence: number, outcome: Finished): string;
  /** All have ended; `answer` is the whole response. */
  done(answer: object): string;
  fail(error: HttpError): string;
}

/** One event. JSON has no line breaks of its own, so one `data` line holds it. */
export function event(data: object, name?: string): string {
  return `${name === undefined ? "" : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`;
}
