import type { DeadlineExceeded, Timeouts } from "./deadlines.js";
import type { Cancelled } from "./refusal.js";

/** What a request asks the queue for. */
export interface Request {
  /** The caller; callers take turns. */
  caller: string;
  /** An integer from -10 to 10, higher starts sooner; 0 is ordinary. */
  priority: number;
  /** How many sequences it generates; at least 1. */
  sequences: number;
  /** Prompt tokens of all its sequences together: an estimate, and rather too high than too low. */
  promptTokens: number;
  timeouts?: Timeouts | undefined;
}

/** The size of a sequence, in tokens. */
export interface Extent {
  promptTokens: number;
  /** The most it may generate. */
  most: number;
}

/** One sequence to generate. */
export interface Submission<T, R> {
  item: T;
  extent: Extent;
  /** Called when it gets a slot. */
  onStart?: (() => void) | undefined;
  /**
   * Called once, when the sequence has left its slot, with its outcome, or with null if it never ran or failed. Its promise
   * may have been rejected earlier: a deadline rejects at once, while the sequence still runs.
   */
  onOutcome?: (outcome: R | null) => void;
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

/** A waiting request's position and expected wait. */
export interface Standing {
  /** 1 is the next to start. For several sequences, the position of the first one. */
  position: number;
  /** Seconds until it starts, estimated from recent requests. */
  expectedWait: number;
}

/** A request of which no sequence has started, or not all. */
export interface WaitingRequest extends Standing {
  caller: string;
  priority: number;
  /** How many of its sequences wait. */
  sequences: number;
  /** Since its reservation. */
  waitedMs: number;
}

export type OnStanding = (standing: Standing) => void;

/**
 * A request's places in the queue: reserved, then used by `submit`, and each given back when its sequence ends. The owner
 * of a ticket that is no longer needed calls `cancel`, in any state; a second call does nothing.
 */
export interface Ticket<T, R> {
  /** The position at the submission: 1 was the next to start, 0 started at once. */
  readonly position: number;
  /** Calls back if the request ends before its submission; at once if it already has. */
  onGivenUp(callback: (reason: Cancelled | DeadlineExceeded) => void): void;
  /** Whether a deadline depends on calls of `progress`. If so, it passes without them, even while tokens come. */
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
  submit(items: Submission<T, R>[], onStanding?: OnStanding): Promise<Done<R>>[];
  /**
   * Reports that tokens were written.
   * @param index of the sequence, in the order of the submission
   * @param tokens how many; if known, forecasts for all waiting requests get better
   */
  progress(index?: number, tokens?: number): void;
  /** Gives the request up. What waits never starts; what runs is cancelled, and keeps its slot until it has ended. */
  cancel(): void;
}
