import type { DeadlineExceeded, Deadlines } from "./deadlines.js";
import type { Occupant } from "./eta/slots.js";
import type { Candidate } from "./lanes.js";
import type { Node } from "./line.js";
import type { Cancelled } from "./refusal.js";
import type { Done, Execution } from "./ticket.js";

/** An admitted request: all that the queue knows of it, from its reservation until its last place is given back. */
export interface Admission<T, R> {
  readonly caller: string;
  readonly priority: number;
  /** When it was reserved. */
  readonly since: number;
  readonly deadlines: Deadlines;
  /** How many sequences it has places for, how many of them have not started, and how many run. */
  places: number;
  waiting: number;
  running: number;
  /** Of the sequences that have not started. */
  promptTokens: number;
  /** One for each sequence; null before the submission. */
  entries: Entry<T, R>[] | null;
  /** Why it was given up. */
  givenUp: Cancelled | DeadlineExceeded | null;
  /** Told when it is given up before its submission. */
  onGivenUp: (reason: Cancelled | DeadlineExceeded) => void;
  /** Where it stood when it was submitted; 0 if it started at once. */
  position: number;
  /** The forecast at its submission, until it starts. */
  forecast: { at: number; waitMs: number } | null;
}

/** One sequence of a request, from its submission on. */
export interface Entry<T, R> extends Candidate, Occupant {
  readonly admission: Admission<T, R>;
  readonly item: T;
  readonly resolve: (done: Done<R>) => void;
  readonly reject: (error: unknown) => void;
  /** Its place in the lanes, while it waits. */
  node: Node<Entry<T, R>> | null;
  /** From its start on. */
  execution: Execution<R> | null;
  ended: boolean;
}
