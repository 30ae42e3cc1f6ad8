import type { DeadlineExceeded, Deadlines } from "./deadlines.js";
import type { Occupant } from "./eta/slots.js";
import type { Candidate } from "./lanes.js";
import type { Node } from "./line.js";
import type { Cancelled } from "./refusal.js";
import type { Done, Execution } from "./ticket.js";

/** An admitted request, from its reservation until its last place is given back. */
export interface Admission<T, R> {
  readonly caller: string;
  readonly priority: number;
  /** When it was reserved. */
  readonly since: number;
  readonly deadlines: Deadlines;
  /** How many places it has, how many of its sequences have not started, and how many run. */
  places: number;
  waiting: number;
  running: number;
  /** Prompt tokens of the sequences that have not started. */
  promptTokens: number;
  /** One for each sequence; null before the submission. */
  entries: Entry<T, R>[] | null;
  /** Why it ended early; null while it has not. */
  givenUp: Cancelled | DeadlineExceeded | null;
  /** Called if it ends before its submission. */
  onGivenUp: (reason: Cancelled | DeadlineExceeded) => void;
  /** Its position at the submission; 0 if it started at once. */
  position: number;
  /** The forecast of the submission; null once it has started. */
  forecast: { at: number; waitMs: number } | null;
}

/** One sequence of a request, from its submission on. */
export interface Entry<T, R> extends Candidate, Occupant {
  readonly admission: Admission<T, R>;
  readonly item: T;
  readonly resolve: (done: Done<R>) => void;
  readonly reject: (error: unknown) => void;
  readonly onStart: (() => void) | undefined;
  readonly onOutcome: (outcome: R | null) => void;
  /** Its node in the lanes while it waits. */
  node: Node<Entry<T, R>> | null;
  /** Null until it starts. */
  execution: Execution<R> | null;
  ended: boolean;
}
