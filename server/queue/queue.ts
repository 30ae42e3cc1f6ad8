import type { Admission, Entry } from "./admission.js";
import { Bounds } from "./bounds.js";
import { type Clock, realClock } from "./clock.js";
import { type Deadline, DeadlineExceeded, Deadlines, type Timeouts, within } from "./deadlines.js";
import { Forecasts } from "./eta/forecasts.js";
import { type Schedule, Slots } from "./eta/slots.js";
import { type FlowKey, Lanes, PRIORITIES } from "./lanes.js";
import { Cancelled, QueueRefusal, type Refusal } from "./refusal.js";
import { Standings } from "./standings.js";
import type { Done, Execution, OnStanding, Request, Submission, Ticket, WaitingRequest } from "./ticket.js";

export interface QueueOptions<T, R> {
  /** How many sequences may wait for a slot. */
  limit: number;
  /** How many of them may be one caller's; all by default. */
  limitOfCaller?: number | undefined;
  /** How many prompt tokens those may have that have not started; any number by default. */
  promptTokens?: number | undefined;
  /** How many sequences run at once when everything is well. */
  slots: number;
  /** How many sequences can run at once just now; call `dispatch` when it grows. */
  capacity: () => number;
  start: (item: T, caller: string) => Execution<R>;
  /** A reason outside of the queue why nothing may be admitted just now, or null. */
  refuses?: (() => Refusal | null) | undefined;
  /** How many tokens a sequence wrote; null for one that was cancelled. Without it forecasts learn nothing from it. */
  written?: (outcome: R) => number | null;
  /** The longest timeouts that a request can have, and those of a request that asks for none. */
  timeouts?: Timeouts | undefined;
  clock?: Clock;
}

/** The longest Retry-After: an hour. */
const LONGEST_RETRY_S = 3600;

/**
 * A bounded queue with priorities and deadlines, fair between callers. Every request reserves its places here before
 * anything is computed for it, and gives the last one back when its last sequence has ended. `Lanes` decides who starts
 * next, `Forecasts` predicts when. Knows no HTTP.
 *
 * Invariants: a waiting entry is in the lanes and nowhere else. A running entry has a slot until its outcome settles, even
 * if its request was cancelled. `Bounds` counts the places of everything that is reserved, waits or runs, and the prompt
 * tokens of everything that is reserved or waits. Nothing waits while a slot is free.
 */
export class Queue<T, R> {
  readonly #options: QueueOptions<T, R>;
  readonly #clock: Clock;
  readonly #createdAt: number;
  readonly #bounds: Bounds;
  readonly #lanes: Lanes<Entry<T, R>>;
  readonly #slots: Slots;
  readonly #forecasts: Forecasts<T, R>;
  readonly #standings: Standings<Admission<T, R>>;
  /** All requests that have a place. */
  readonly #admissions = new Set<Admission<T, R>>();
  #running = 0;
  #state: "loading" | "open" | "draining" = "loading";
  readonly #missed: Record<Deadline, number> = { queue: 0, firstToken: 0, stall: 0, total: 0 };
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
    this.#slots = new Slots(slots, () => this.#clock.now());
    this.#forecasts = new Forecasts(this.#clock, this.#lanes, () => this.#slots.schedule(options.capacity()));
    this.#standings = new Standings(this.#clock, () => this.#forecasts.everyStanding());
  }

  get state(): "loading" | "open" | "draining" {
    return this.#state;
  }

  /** How many sequences can run at once just now; 0 while no worker is ready. */
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

  /** How many requests have missed each deadline. */
  get missed(): Readonly<Record<Deadline, number>> {
    return this.#missed;
  }

  /** How many sequences of each caller run and wait. */
  get byCaller(): Map<string, { running: number; waiting: number }> {
    const callers = new Map<string, { running: number; waiting: number }>();
    for (const { caller, running, waiting } of this.#admissions) {
      const sums = callers.get(caller) ?? { running: 0, waiting: 0 };
      callers.set(caller, { running: sums.running + running, waiting: sums.waiting + waiting });
    }
    return callers;
  }

  /** The model is loaded: admit requests from now on. */
  open(): void {
    if (this.#state === "loading") this.#state = "open";
  }

  /**
   * Takes places for a request.
   * @throws QueueRefusal if there is no place now
   * @throws NeverFits if there can never be one
   * @throws RangeError for a priority or a number of sequences out of range
   */
  reserve(request: Request): Ticket<T, R> {
    const { caller, priority, sequences } = request;
    const { min, max } = PRIORITIES;
    if (!Number.isInteger(priority) || priority < min || priority > max)
      throw new RangeError(`expected a priority from ${min} to ${max}, got ${priority}`);
    if (!Number.isInteger(sequences) || sequences < 1)
      throw new RangeError(`expected at least one sequence, got ${sequences}`);
    if (this.#state === "loading") throw this.#refusal("model_loading", request);
    if (this.#state === "draining") throw this.#refusal("shutting_down", request);
    const reason = this.#options.refuses?.() ?? null;
    if (reason !== null) throw this.#refusal(reason, request);
    const refusal = this.#bounds.take(caller, sequences, request.promptTokens);
    if (refusal !== null) throw this.#refusal(refusal, request);
    const timeouts = within(this.#options.timeouts ?? {}, request.timeouts);
    const admission: Admission<T, R> = {
      ...{ caller, priority, places: sequences, waiting: sequences, running: 0 },
      promptTokens: this.#bounds.estimate(request.promptTokens),
      since: this.#clock.now(),
      deadlines: new Deadlines(timeouts, this.#clock, (error) => this.#giveUp(admission, error)),
      ...{ entries: null, givenUp: null, onGivenUp: () => {}, position: 0, forecast: null },
    };
    this.#admissions.add(admission);
    return this.#ticketOf(admission);
  }

  /** Takes no place. @throws NeverFits for a request that could never have a place */
  assertFits({ sequences, promptTokens }: Pick<Request, "sequences" | "promptTokens">): void {
    this.#bounds.assertFits(sequences, promptTokens);
  }

  /** Starts waiting entries while slots are free. */
  dispatch(): void {
    while (this.#running < this.#options.capacity()) {
      const entry = this.#lanes.shift();
      if (entry === null) return;
      this.#start(entry);
      this.#standings.announce();
    }
  }

  /** Admits nothing more. Resolves when the last place is given back. */
  drain(): Promise<void> {
    this.#state = "draining";
    if (this.#admissions.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onEmpty.push(resolve));
  }

  /** Cancels every request. */
  clear(): void {
    for (const admission of [...this.#admissions]) this.#giveUp(admission, new Cancelled());
  }

  /**
   * Whole seconds after which a refused request should try again. While loading: as long again as loading has taken so
   * far. While draining: until everything has ended. Otherwise: as long as the request would have waited.
   */
  retryAfter(flow: FlowKey): number {
    let ms = this.#clock.now() - this.#createdAt;
    if (this.#state === "open") ms = this.#forecasts.waitOf(flow);
    if (this.#state === "draining") ms = this.#forecasts.waitForAll();
    return Math.min(Math.max(Math.round(ms / 1000), 1), LONGEST_RETRY_S);
  }

  /** The next requests to start, at most `most`, in their order. */
  next(most: number): WaitingRequest[] {
    const now = this.#clock.now();
    const found: WaitingRequest[] = [];
    for (const [{ caller, priority, waiting, since }, standing] of this.#forecasts.everyStanding()) {
      if (found.length === most) break;
      found.push({ caller, priority, sequences: waiting, waitedMs: now - since, ...standing });
    }
    return found;
  }

  /** When slots become free for work that starts after everything that waits now. */
  behindWaiting(): Schedule {
    return this.#forecasts.behindWaiting();
  }

  #refusal(reason: Refusal, flow: FlowKey): QueueRefusal {
    return new QueueRefusal(reason, this.retryAfter(flow));
  }

  #ticketOf(admission: Admission<T, R>): Ticket<T, R> {
    const { deadlines } = admission;
    return {
      get position() {
        return admission.position;
      },
      wantsProgress: deadlines.wantTokens,
      onGivenUp: (callback) => {
        admission.onGivenUp = callback;
        if (admission.givenUp !== null) callback(admission.givenUp);
      },
      adjust: (promptTokens) => this.#adjust(admission, promptTokens),
      submit: (items, onStanding) => this.#submit(admission, items, onStanding),
      progress: (index = 0, tokens = undefined) => {
        if (admission.givenUp === null) deadlines.token();
        const entry = admission.entries?.[index];
        if (entry?.execution && tokens !== undefined) entry.written = (entry.written ?? 0) + tokens;
      },
      cancel: () => this.#giveUp(admission, new Cancelled()),
    };
  }

  #adjust(admission: Admission<T, R>, promptTokens: number): void {
    if (admission.givenUp !== null || admission.entries !== null) return;
    let fits: boolean;
    try {
      fits = this.#bounds.adjust(admission.promptTokens, promptTokens);
    } catch (error) {
      this.#giveUp(admission, new Cancelled());
      throw error;
    }
    if (fits) {
      admission.promptTokens = promptTokens;
      return;
    }
    this.#giveUp(admission, new Cancelled());
    throw this.#refusal("queue_full", admission);
  }

  #submit(
    admission: Admission<T, R>,
    items: Submission<T, R>[],
    onStanding?: OnStanding,
  ): Promise<Done<R>>[] {
    const { places, givenUp } = admission;
    if (givenUp === null && items.length !== places)
      throw new Error(`expected ${places} sequences, got ${items.length}`);
    if (admission.entries !== null) throw new Error("expected one submission, got another");
    const entries: Entry<T, R>[] = [];
    admission.entries = entries;
    const promises = items.map((item) => {
      const promise = new Promise<Done<R>>((resolve, reject) => {
        if (givenUp !== null) return reject(givenUp);
        const entry = entryOf(admission, item, resolve, reject);
        entry.node = this.#lanes.push(entry);
        entries.push(entry);
      });
      // A caller may await only some of them, and an unhandled rejection would end the process.
      promise.catch(() => {});
      return promise;
    });
    if (givenUp !== null) {
      for (const { onOutcome } of items) onOutcome?.(null);
      return promises;
    }
    this.dispatch();
    if (entries.some(({ execution, ended }) => execution !== null || ended)) return promises;
    const standing = this.#forecasts.submitted(admission);
    admission.position = standing.position;
    if (onStanding !== undefined) this.#standings.watch(admission, standing, onStanding);
    // It may come before others, whose positions change.
    this.#standings.announce();
    return promises;
  }

  #start(entry: Entry<T, R>): void {
    const { admission, item } = entry;
    const startedAt = this.#clock.now();
    entry.onStart?.();
    entry.node = null;
    this.#leaveLine(admission);
    this.#standings.leave(admission);
    this.#forecasts.started(admission);
    admission.running++;
    admission.deadlines.started();
    this.#running++;
    this.#slots.start(entry);
    entry.execution = this.#options.start(item, entry.caller);
    const end = (written: number | null) => {
      this.#running--;
      this.#slots.end(entry, written);
      entry.ended = true;
      if (--admission.running === 0) admission.deadlines.paused();
      this.#leave(admission, 1);
      this.dispatch();
      return { queueMs: startedAt - admission.since, runMs: this.#clock.now() - startedAt };
    };
    entry.execution.outcome.then(
      (outcome) => {
        const times = end(this.#options.written?.(outcome) ?? null);
        entry.onOutcome(outcome);
        entry.resolve({ outcome, ...times });
      },
      (error: unknown) => {
        end(null);
        entry.onOutcome(null);
        entry.reject(error);
      },
    );
  }

  #giveUp(admission: Admission<T, R>, reason: Cancelled | DeadlineExceeded): void {
    if (reason instanceof DeadlineExceeded && admission.givenUp === null) this.#missed[reason.deadline]++;
    if (admission.entries === null) {
      if (admission.givenUp !== null) return;
      admission.givenUp = reason;
      this.#bounds.leaveTokens(admission.promptTokens);
      this.#leave(admission, admission.places);
      admission.onGivenUp(reason);
      return;
    }
    admission.givenUp ??= reason;
    for (const entry of admission.entries) {
      if (entry.ended) continue;
      if (entry.execution === null) this.#giveUpWaiting(entry, reason);
      else this.#giveUpRunning(entry, reason);
    }
    this.#standings.leave(admission);
    this.#standings.announce();
  }

  #giveUpWaiting(entry: Entry<T, R>, reason: Cancelled | DeadlineExceeded): void {
    this.#lanes.remove(entry.node!);
    entry.ended = true;
    entry.onOutcome(null);
    entry.reject(reason);
    this.#leaveLine(entry.admission);
    this.#leave(entry.admission, 1);
  }

  /** The slot stays taken until the worker has let go of it. */
  #giveUpRunning(entry: Entry<T, R>, reason: Cancelled | DeadlineExceeded): void {
    if (reason instanceof DeadlineExceeded) entry.reject(reason);
    if (entry.ending) return;
    entry.ending = true;
    entry.execution?.cancel();
  }

  /** A sequence leaves the line: gives back its share of the request's prompt tokens. */
  #leaveLine(admission: Admission<T, R>): void {
    const share = Math.floor(admission.promptTokens / admission.waiting--);
    admission.promptTokens -= share;
    this.#bounds.leaveTokens(share);
  }

  #leave(admission: Admission<T, R>, places: number): void {
    this.#bounds.leave(admission.caller, places);
    admission.places -= places;
    if (admission.places > 0) return;
    admission.deadlines.end();
    this.#admissions.delete(admission);
    if (this.#admissions.size > 0) return;
    for (const resolve of this.#onEmpty.splice(0)) resolve();
  }
}

function entryOf<T, R>(
  admission: Admission<T, R>,
  { item, extent, onStart, onOutcome = () => {} }: Submission<T, R>,
  resolve: (done: Done<R>) => void,
  reject: (error: unknown) => void,
): Entry<T, R> {
  const { caller, priority } = admission;
  return {
    ...{ admission, caller, priority, item, extent, resolve, reject, onStart, onOutcome },
    tokens: extent.promptTokens + extent.most,
    ...{ node: null, execution: null, startedAt: 0, written: null, ending: false, ended: false },
  };
}
