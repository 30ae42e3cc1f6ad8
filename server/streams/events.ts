import type { TokenLogprob } from "../../workers/protocol.js";
import type { PublicError } from "../errors/errors.js";
import type { Finished } from "../pool/pool.js";
import type { Standing } from "../queue/ticket.js";

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
  fail(error: PublicError): string;
}
