import type { DeadlineExceeded, Timeouts } from "./deadlines.js";
import type { Cancelled } from "./refusal.js";

/** What a request takes places for. */
export interface Request {
  /** Whose it is; callers take turns. */
  caller: string;
  /** An integer from -10 to 10, higher starts sooner; 0 is ordinary. */
  priority: number;
  /** How many sequences it generates; at least 1. */
  sequences: number;
  /** Of all its sequences together; an estimate, rather too high than too low. */
  promptTokens: number;
  timeouts?: Timeouts | undefined;
}

/** How large a sequence may become, in tokens. */
export interface Extent {
  promptTokens: number;
  /** The most that it may write. */
  most: number;
}

/** One sequence to generate. */
export interface Submission<T> {
  item: T;
  extent: Extent;
}

/** An item that has been started. */
export interface Execution<R> {
  /** Settles when its slot is free again. */
  outcome: Promise<R>;
  /** Asks it to end early; `outcome` settles all the same. */
  cancel(): void;
}

export interface Done<R> {
  outcome: R;
  /** From the reservation to the start, and from there to the end, in milliseconds. */
  queueMs: number;
  runMs: number;
}

/** Where a waiting request stands. */
export interface Standing {
  /** 1 is the next to start; for several sequences, that of the first of them. */
  position: number;
  /** Until it starts, in seconds; an estimate from the requests of late. */
  expectedWait: number;
}

export type OnStanding = (standing: Standing) => void;

/**
 * A request's places in the queue. They are reserved, then submitted, and each is given back when its sequence ends.
 * Whoever has a ticket and does not need it any more calls `cancel`, in any state; a second call does nothing.
 */
export interface Ticket<T, R> {
  /** Where the request stood when it was submitted: 1 was the next to start, 0 started at once. */
  readonly position: number;
  /** Calls back when it is given up before its submission; at once if it has been. */
  onGivenUp(callback: (reason: Cancelled | DeadlineExceeded) => void): void;
  /** Whether a deadline depends on `progress`; without it that deadline passes though tokens come. */
  readonly wantsProgress: boolean;
  /**
   * Sets the true number of prompt tokens in place of the estimate, before the submission. A refusal gives the ticket up.
   * @throws QueueRefusal
   * @throws NeverFits
   */
  adjust(promptTokens: number): void;
  /**
   * Queues the sequences, as many as were reserved. Each promise settles by itself: with its outcome, with `Cancelled` or
   * `DeadlineExceeded` if the request is given up before the sequence starts, with `DeadlineExceeded` as soon as a
   * deadline passes while it runs. A request that has to wait is told at once where it stands, and again when that has
   * changed, at most once a second, until its first sequence starts.
   */
  submit(items: Submission<T>[], onStanding?: OnStanding): Promise<Done<R>>[];
  /**
   * Reports that tokens were written.
   * @param index of the sequence, in the order of the submission
   * @param tokens how many; if known, forecasts for all waiting requests get better
   */
  progress(index?: number, tokens?: number): void;
  /** Gives the request up. What waits never starts; what runs is cancelled, and keeps its slot until it has ended. */
  cancel(): void;
}
