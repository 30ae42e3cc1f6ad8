import type { TokenLogprob } from "../../workers/protocol.js";
import type { PublicError } from "../errors/errors.js";
import type { Finished } from "../pool/pool.js";
import type { Standing } from "../queue/ticket.js";

/** The next text of a sequence. */
export interface Delta {
  text: string;
  /** How many tokens the text has. */
  tokens: number;
  /** Log-probabilities of those tokens; empty if the task didn't ask for them. */
  logprobs: TokenLogprob[];
}

/** Writes the events of a stream. Each method returns whole events, comments, or an empty text. */
export interface Events {
  begin(): string;
  queue(standing: Standing): string;
  delta(sequence: number, delta: Delta): string;
  /** A sequence has ended; all of its text was passed to `delta`. */
  end(sequence: number, outcome: Finished): string;
  /** All sequences have ended; `answer` is the whole response. */
  done(answer: object): string;
  fail(error: PublicError): string;
}
