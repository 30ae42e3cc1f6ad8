import type { Clock } from "./clock.js";
import { type DeadlineExceeded, Deadlines, type Timeouts } from "./deadlines.js";
import type { Foretold } from "./eta/forecasts.js";
import type { Extent, Run } from "./eta/outlook.js";
import type { Claim } from "./lanes.js";
import type { Node } from "./line.js";
import { Removed } from "./refusal.js";

/** What a request takes a place for. */
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

/** One sequence to generate. */
export interface Submission<T> {
  item: T;
  extent: Extent;
}

/** A job under way. */
export interface Running<R> {
  /** Settles when the job's slot is free again. */
  outcome: Promise<R>;
  /** Asks the job to end early; `outcome` settles all the same. */
  cancel(): void;
}

export interface Done<R> {
  outcome: R;
  /** From the reservation to the start of the job, and from there to its end, in milliseconds. */
  queueMs: number;
  runMs: number;
}

/** Where a request that waits stands. */
export interface Standing {
  /** 1 is the next to start; for several sequences, that of the first of them. */
  position: number;
  /** Until it starts, in seconds; an estimate from the recent pace and lengths. */
  expectedWait: number;
}

export type OnStanding = (standing: Standing) => void;

/** One of a request's sequences, from its submission on. */
export interface Sequence<T, R> extends Claim {
  readonly ticket: Ticket<T, R>;
  readonly item: T;
  readonly extent: Extent;
  readonly resolve: (done: Done<R>) => void;
  readonly reject: (error: unknown) => void;
  /** While it waits. */
  node: Node<Sequence<T, R>> | null;
  /** While it runs. */
  job: Running<R> | null;
  run: Run | null;
  ended: boolean;
}

/** What a ticket asks of its queue. */
export interface Desk<T, R> {
  readonly clock: Clock;
  adjust(ticket: Ticket<T, R>, promptTokens: number): void;
  submit(ticket: Ticket<T, R>, items: Submission<T>[], onStanding?: OnStanding): Promise<Done<R>>[];
  giveUp(ticket: Ticket<T, R>, reason: Removed | DeadlineExceeded): void;
}

/**
 * A request's place in the queue: reserved, then submitted, and given back bit by bit as its jobs end. Whoever has one
 * calls `cancel` when it comes to nothing, in any state; a second time, or too late, does nothing.
 */
export class Ticket<T, R> {
  readonly caller: string;
  readonly priority: number;
  /** How many sequences it has places for, and how many of them wait and run. */
  places: number;
  waiting: number;
  running = 0;
  /** When it was reserved. */
  readonly since: number;
  /** Of the sequences that have not started. */
  promptTokens: number;
  /** What has been submitted. */
  sequences: Sequence<T, R>[] | null = null;
  /** Why it was given up. */
  over: Removed | DeadlineExceeded | null = null;
  /** Where the request stood when it was submitted: 1 was the next to start, 0 started at once. */
  position = 0;
  /** What was foreseen when it was submitted, until it starts. */
  foretold: Foretold | null = null;
  /** Called when it is given up before its submission. */
  onGivenUp: (reason: Removed | DeadlineExceeded) => void = () => {};
  readonly deadlines: Deadlines;
  readonly #desk: Desk<T, R>;

  /** `Queue.reserve` makes them. */
  constructor(desk: Desk<T, R>, request: Request) {
    this.caller = request.caller;
    this.priority = request.priority;
    this.places = request.sequences;
    this.waiting = request.sequences;
    this.promptTokens = request.promptTokens;
    this.since = desk.clock.now();
    this.#desk = desk;
    this.deadlines = new Deadlines(request.timeouts ?? {}, desk.clock, (error) => desk.giveUp(this, error));
  }

  /** Whether a deadline depends on `progress`; without it that deadline passes though tokens come. */
  get wantsProgress(): boolean {
    return this.deadlines.wantTokens;
  }

  /**
   * Sets the true number in place of the estimate, before the submission. A refusal gives the ticket up.
   * @throws QueueRefusal
   * @throws NeverFits
   */
  adjust(promptTokens: number): void {
    this.#desk.adjust(this, promptTokens);
  }

  /**
   * Queues the sequences, as many as were reserved. The promises settle each by itself: with what the job comes to, with
   * `Removed` or `DeadlineExceeded` if it is given up before it starts, with `DeadlineExceeded` as soon as a deadline
   * passes while it runs. A request that has to wait is told at once where it stands, and again when that has changed,
   * at most once a second, until its first sequence starts.
   */
  submit(items: Submission<T>[], onStanding?: OnStanding): Promise<Done<R>>[] {
    return this.#desk.submit(this, items, onStanding);
  }

  /**
   * Says that tokens came.
   * @param index of the sequence, in the order of the submission
   * @param tokens how many; known, they make the forecasts for all who wait better
   */
  progress(index = 0, tokens?: number): void {
    if (this.over === null) this.deadlines.token();
    const run = this.sequences?.[index]?.run;
    if (run && tokens !== undefined) run.written = (run.written ?? 0) + tokens;
  }

  /** Gives the request up: what waits never starts, what runs is cancelled and keeps its slot until its job has ended. */
  cancel(): void {
    this.#desk.giveUp(this, new Removed());
  }
}
