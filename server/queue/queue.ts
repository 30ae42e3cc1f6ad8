import { Bounds } from "./bounds.js";
import { type Clock, realClock } from "./clock.js";
import { DeadlineExceeded, type Timeouts, within } from "./deadlines.js";
import { Forecasts } from "./eta/forecasts.js";
import { Outlook } from "./eta/outlook.js";
import { Lanes, PRIORITIES } from "./lanes.js";
import { QueueRefusal, type Refusal, type Removed } from "./refusal.js";
import { Standings } from "./standings.js";
import {
  type Desk,
  type Done,
  type OnStanding,
  type Request,
  type Running,
  type Sequence,
  type Submission,
  Ticket,
} from "./ticket.js";

export interface QueueOptions<T, R> {
  /** How many sequences may wait for a slot. */
  limit: number;
  /** How many of them may be one caller's; without it, all. */
  limitOfCaller?: number | undefined;
  /** How many prompt tokens those may have that have not started; without it, any number. */
  promptTokens?: number | undefined;
  /** How many jobs run at once when everything is well. */
  slots: number;
  /** How many jobs can run at once just now; call `dispatch` when it grows. */
  capacity: () => number;
  start: (item: T) => Running<R>;
  /** How many tokens a job has written; null for one that was cancelled. Without it nothing is learnt of lengths. */
  written?: (outcome: R) => number | null;
  /** The longest deadlines that a request can have, and those of one that asks for none. */
  timeouts?: Timeouts | undefined;
  clock?: Clock;
}

/** A refused request is told to come back after an hour at most. */
const LONGEST_RETRY_S = 3600;

/**
 * Bounded, in classes, fair between callers, with deadlines. Every request takes its place here before anything is
 * computed for it, and gives it back when its last job has ended. Who starts next is decided by `Lanes`, when it will
 * start is foreseen by `Outlook`. Knows no HTTP.
 *
 * What always holds: a sequence that waits is in the lanes and nowhere else; one that runs has a slot until its job's
 * outcome settles, whatever has become of its ticket; places in `Bounds` are those of all that are reserved, wait or run,
 * prompt tokens those of all that are reserved or wait; nothing waits while a slot is free.
 */
export class Queue<T, R> {
  readonly #options: QueueOptions<T, R>;
  readonly #clock: Clock;
  readonly #createdAt: number;
  readonly #desk: Desk<T, R>;
  readonly #bounds: Bounds;
  readonly #lanes: Lanes<Sequence<T, R>>;
  readonly #outlook: Outlook;
  readonly #forecasts: Forecasts<T, R>;
  readonly #standings: Standings<Ticket<T, R>>;
  /** Those that have a place. */
  readonly #tickets = new Set<Ticket<T, R>>();
  #running = 0;
  #state: "loading" | "open" | "draining" = "loading";
  #onEmpty: (() => void)[] = [];

  constructor(options: QueueOptions<T, R>) {
    const { limit, limitOfCaller = limit, promptTokens = Number.POSITIVE_INFINITY, slots } = options;
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.#createdAt = this.#clock.now();
    this.#bounds = new Bounds({
      sequences: slots + limit,
      sequencesOfCaller: slots + limitOfCaller,
      promptTokens,
    });
    this.#lanes = new Lanes(() => this.#clock.now());
    this.#outlook = new Outlook(slots, () => this.#clock.now());
    this.#forecasts = new Forecasts(this.#clock, this.#lanes, () =>
      this.#outlook.schedule(options.capacity()),
    );
    this.#standings = new Standings(this.#clock, () => this.#forecasts.everyStanding());
    this.#desk = {
      clock: this.#clock,
      adjust: (ticket, tokens) => this.#adjust(ticket, tokens),
      submit: (ticket, items, onStanding) => this.#submit(ticket, items, onStanding),
      giveUp: (ticket, reason) => this.#giveUp(ticket, reason),
    };
  }

  get state(): "loading" | "open" | "draining" {
    return this.#state;
  }

  /** How many jobs can run at once just now; 0 while no worker is ready. */
  get capacity(): number {
    return this.#options.capacity();
  }

  /** How many sequences wait. */
  get waiting(): number {
    return this.#lanes.size;
  }

  /** How many sequences have a slot. */
  get running(): number {
    return this.#running;
  }

  get limit(): number {
    return this.#options.limit;
  }

  /** The model is loaded: admit requests from now on. */
  open(): void {
    if (this.#state === "loading") this.#state = "open";
  }

  /**
   * Takes places for a request.
   * @throws QueueRefusal if there is none now
   * @throws NeverFits if there can't ever be
   * @throws RangeError for a priority or a number of sequences that there is not
   */
  reserve(request: Request): Ticket<T, R> {
    const { caller, priority, sequences } = request;
    const { min, max } = PRIORITIES;
    if (!Number.isInteger(priority) || priority < min || priority > max)
      throw new RangeError(`expected a priority from ${min} to ${max}, got ${priority}`);
    if (!Number.isInteger(sequences) || sequences < 1)
      throw new RangeError(`expected at least one sequence, got ${sequences}`);
    if (this.#state !== "open") throw this.#refusal(this.#state, request);
    const refusal = this.#bounds.take(caller, sequences, request.promptTokens);
    if (refusal !== null) throw this.#refusal(refusal, request);
    const ticket = new Ticket(this.#desk, {
      ...request,
      promptTokens: this.#bounds.estimate(request.promptTokens),
      timeouts: within(this.#options.timeouts ?? {}, request.timeouts),
    });
    this.#tickets.add(ticket);
    return ticket;
  }

  /** Takes no place. @throws NeverFits for a request that there can't ever be a place for */
  assertFits({ sequences, promptTokens }: Pick<Request, "sequences" | "promptTokens">): void {
    this.#bounds.assertFits(sequences, promptTokens);
  }

  /** Starts what waits, as far as slots are free. */
  dispatch(): void {
    while (this.#running < this.#options.capacity()) {
      const sequence = this.#lanes.shift();
      if (sequence === null) return;
      this.#start(sequence);
      this.#standings.announce();
    }
  }

  /** Admits nothing more. Resolves when the last place is given back. */
  drain(): Promise<void> {
    this.#state = "draining";
    if (this.#tickets.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onEmpty.push(resolve));
  }

  /** Gives up every request there is. */
  clear(): void {
    for (const ticket of [...this.#tickets]) ticket.cancel();
  }

  /**
   * Whole seconds after which a request that is refused now should try again. While loading: as long again as loading has
   * taken so far. While draining: when all is done. Else when it would have started, had it been let in.
   */
  retryAfter(request: Pick<Request, "caller" | "priority">): number {
    let ms = this.#clock.now() - this.#createdAt;
    if (this.#state === "open") ms = this.#forecasts.waitOf(request);
    if (this.#state === "draining") ms = this.#forecasts.waitForAll();
    return Math.min(Math.max(Math.round(ms / 1000), 1), LONGEST_RETRY_S);
  }

  #refusal(reason: Refusal, request: Pick<Request, "caller" | "priority">): QueueRefusal {
    return new QueueRefusal(reason, this.retryAfter(request));
  }

  #adjust(ticket: Ticket<T, R>, promptTokens: number): void {
    if (ticket.over !== null || ticket.sequences !== null) return;
    let fits: boolean;
    try {
      fits = this.#bounds.adjust(ticket.promptTokens, promptTokens);
    } catch (error) {
      ticket.cancel();
      throw error;
    }
    if (fits) {
      ticket.promptTokens = promptTokens;
      return;
    }
    ticket.cancel();
    throw this.#refusal("full", ticket);
  }

  #submit(ticket: Ticket<T, R>, items: Submission<T>[], onStanding?: OnStanding): Promise<Done<R>>[] {
    const { caller, priority, places, over } = ticket;
    if (over === null && items.length !== places)
      throw new Error(`expected ${places} sequences, got ${items.length}`);
    if (ticket.sequences !== null) throw new Error("expected one submission, got another");
    ticket.sequences = [];
    const promises = items.map(({ item, extent }) => {
      const promise = new Promise<Done<R>>((resolve, reject) => {
        if (over !== null) return reject(over);
        const tokens = extent.promptTokens + extent.most;
        const sequence: Sequence<T, R> = {
          ...{ ticket, caller, priority, tokens, item, extent, resolve, reject },
          ...{ node: null, job: null, run: null, ended: false },
        };
        sequence.node = this.#lanes.push(sequence);
        ticket.sequences?.push(sequence);
      });
      // Nobody is obliged to await each of them; a rejection nobody hears of would end the process.
      promise.catch(() => {});
      return promise;
    });
    if (over !== null) return promises;
    this.dispatch();
    if (ticket.sequences.some(({ job, ended }) => job !== null || ended)) return promises;
    const standing = this.#forecasts.standingOf(ticket);
    ticket.position = standing.position;
    if (onStanding !== undefined) this.#standings.watch(ticket, standing, onStanding);
    // It may have come before others.
    this.#standings.announce();
    return promises;
  }

  #start(sequence: Sequence<T, R>): void {
    const { ticket, item, extent } = sequence;
    const startedAt = this.#clock.now();
    sequence.node = null;
    this.#leaveLine(ticket);
    this.#standings.leave(ticket);
    this.#forecasts.started(ticket);
    ticket.running++;
    ticket.deadlines.started();
    this.#running++;
    const run = this.#outlook.start(extent);
    sequence.run = run;
    sequence.job = this.#options.start(item);
    const end = (written: number | null) => {
      this.#running--;
      this.#outlook.end(run, written);
      sequence.ended = true;
      if (--ticket.running === 0) ticket.deadlines.paused();
      this.#leave(ticket, 1);
      this.dispatch();
      return { queueMs: startedAt - ticket.since, runMs: this.#clock.now() - startedAt };
    };
    sequence.job.outcome.then(
      (outcome) => sequence.resolve({ outcome, ...end(this.#options.written?.(outcome) ?? null) }),
      (error: unknown) => {
        end(null);
        sequence.reject(error);
      },
    );
  }

  #giveUp(ticket: Ticket<T, R>, reason: Removed | DeadlineExceeded): void {
    if (ticket.sequences === null) {
      if (ticket.over !== null) return;
      ticket.over = reason;
      this.#bounds.leaveTokens(ticket.promptTokens);
      this.#leave(ticket, ticket.places);
      ticket.onGivenUp(reason);
      return;
    }
    ticket.over ??= reason;
    for (const sequence of ticket.sequences) {
      if (sequence.ended) continue;
      if (sequence.job === null) this.#giveUpWaiting(sequence, reason);
      else this.#giveUpRunning(sequence, reason);
    }
    this.#standings.leave(ticket);
    this.#standings.announce();
  }

  #giveUpWaiting(sequence: Sequence<T, R>, reason: Removed | DeadlineExceeded): void {
    this.#lanes.remove(sequence.node!);
    sequence.ended = true;
    sequence.reject(reason);
    this.#leaveLine(sequence.ticket);
    this.#leave(sequence.ticket, 1);
  }

  /** The slot stays taken until the worker has let go of it. */
  #giveUpRunning({ job, run, reject }: Sequence<T, R>, reason: Removed | DeadlineExceeded): void {
    if (reason instanceof DeadlineExceeded) reject(reason);
    if (run === null || run.ending) return;
    run.ending = true;
    job?.cancel();
  }

  /** One of a ticket's sequences waits no longer, and takes its share of the prompt tokens with it. */
  #leaveLine(ticket: Ticket<T, R>): void {
    const share = Math.floor(ticket.promptTokens / ticket.waiting--);
    ticket.promptTokens -= share;
    this.#bounds.leaveTokens(share);
  }

  #leave(ticket: Ticket<T, R>, places: number): void {
    this.#bounds.leave(ticket.caller, places);
    ticket.places -= places;
    if (ticket.places > 0) return;
    ticket.deadlines.end();
    this.#tickets.delete(ticket);
    if (this.#tickets.size > 0) return;
    for (const resolve of this.#onEmpty.splice(0)) resolve();
  }
}
