/** Why a request gets no place. */
export type Refusal = "loading" | "full" | "draining";

export class QueueRefusal extends Error {
  override name = "QueueRefusal";
  constructor(
    readonly reason: Refusal,
    /** When to try again, in whole seconds; at least 1. */
    readonly retryAfter: number,
  ) {
    super(`no place in the queue: ${reason}`);
  }
}

/** The request was removed before its job came to anything. */
export class Removed extends Error {
  override name = "Removed";
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
  /** 1 is the next to start. */
  position: number;
  /** Until it starts, in seconds; an estimate from the recent pace. */
  expectedWait: number;
}

export interface QueueOptions<T, R> {
  /** How many requests may wait for a slot. */
  limit: number;
  /** How many jobs run at once when everything is well. */
  slots: number;
  /** How many jobs can run at once just now; call `dispatch` when it grows. */
  capacity: () => number;
  start: (item: T) => Running<R>;
  /** A clock in milliseconds. */
  now?: () => number;
  /** Calls back once after so many milliseconds. */
  after?: (ms: number, callback: () => void) => void;
}

/** Standings are told no more often than this. */
const STANDINGS_MS = 1000;

interface Place<T, R> {
  since: number;
  job?: Running<R>;
  startedAt?: number;
  item?: T;
  onStanding?: ((standing: Standing) => void) | undefined;
  told?: Standing;
  resolve?: (done: Done<R>) => void;
  reject?: (error: unknown) => void;
}

/**
 * Bounded, first come, first served. Every request takes its place here before anything is computed for it, and gives
 * it back when its job has ended. Places are known by the request's id alone, never by position or slot: both are
 * somebody else's a moment later.
 */
export class Queue<T, R> {
  readonly #options: QueueOptions<T, R>;
  readonly #now: () => number;
  readonly #after: NonNullable<QueueOptions<T, R>["after"]>;
  readonly #createdAt: number;
  readonly #places = new Map<string, Place<T, R>>();
  /** The places that have an item and no slot yet, oldest first. */
  readonly #waiting = new Map<string, Place<T, R>>();
  #running = 0;
  #state: "loading" | "open" | "draining" = "loading";
  #meanRunMs = 0;
  #onEmpty: (() => void)[] = [];
  #standingsDue = false;

  constructor(options: QueueOptions<T, R>) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#after = options.after ?? ((ms, callback) => void setTimeout(callback, ms).unref());
    this.#createdAt = this.#now();
  }

  get state(): "loading" | "open" | "draining" {
    return this.#state;
  }

  /** How many jobs can run at once just now; 0 while no worker is ready. */
  get capacity(): number {
    return this.#options.capacity();
  }

  get waiting(): number {
    return this.#waiting.size;
  }

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

  /** Takes a place for a request. @throws QueueRefusal */
  reserve(id: string): void {
    if (this.#state !== "open") throw new QueueRefusal(this.#state, this.retryAfter());
    const { slots, limit } = this.#options;
    if (this.#places.size >= slots + limit) throw new QueueRefusal("full", this.retryAfter());
    if (this.#places.has(id)) throw new Error(`expected a new id, got ${id} again`);
    this.#places.set(id, { since: this.#now() });
  }

  /**
   * Queues what a reserved place is for. Rejects with `Removed` if the place is given up before the job starts, and
   * with whatever the job rejects with. If it has to wait, `onStanding` is told at once where it stands, and again when
   * that has changed, at most once a second.
   */
  submit(id: string, item: T, onStanding?: (standing: Standing) => void): Promise<Done<R>> {
    const place = this.#places.get(id);
    if (place === undefined) return Promise.reject(new Removed());
    return new Promise((resolve, reject) => {
      Object.assign(place, { item, onStanding, resolve, reject });
      this.#waiting.set(id, place);
      this.dispatch();
      // It came last.
      if (this.#waiting.has(id)) this.#tell(place, this.#waiting.size);
    });
  }

  /** Gives a place up, whatever its state: a reserved or waiting one at once, a running one by cancelling its job. */
  remove(id: string): void {
    const place = this.#places.get(id);
    if (place === undefined) return;
    if (place.job !== undefined) {
      // The slot stays taken until the worker has let go of it.
      place.job.cancel();
      return;
    }
    if (this.#waiting.delete(id)) this.#announce();
    this.#leave(id);
    place.reject?.(new Removed());
  }

  /** Starts what waits, as far as slots are free. */
  dispatch(): void {
    for (const [id, place] of this.#waiting) {
      if (this.#running >= this.#options.capacity()) return;
      this.#waiting.delete(id);
      this.#announce();
      this.#start(id, place);
    }
  }

  /** Admits nothing more. Resolves when the last place is given back. */
  drain(): Promise<void> {
    this.#state = "draining";
    if (this.#places.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onEmpty.push(resolve));
  }

  /** Removes every request there is. */
  clear(): void {
    for (const id of [...this.#places.keys()]) this.remove(id);
  }

  /**
   * Whole seconds after which a refused request should try again. While loading: as long again as loading has taken so
   * far. Else the time in which those who wait now will have had their turn, at the recent pace.
   */
  retryAfter(): number {
    const ms =
      this.#state === "loading"
        ? this.#now() - this.#createdAt
        : this.#expectedWaitMs(this.#waiting.size + 1);
    return Math.min(Math.max(Math.ceil(ms / 1000), 1), 600);
  }

  /** At the recent pace, or that of the longest running while none has finished. */
  #expectedWaitMs(position: number): number {
    let runMs = this.#meanRunMs;
    if (runMs === 0)
      for (const { startedAt } of this.#places.values())
        if (startedAt !== undefined) runMs = Math.max(runMs, this.#now() - startedAt);
    return (position * runMs) / this.#options.slots;
  }

  /** Tells those who wait where they stand now, a moment later, so that many changes are told as one. */
  #announce(): void {
    if (this.#standingsDue || this.#waiting.size === 0) return;
    this.#standingsDue = true;
    this.#after(STANDINGS_MS, () => {
      this.#standingsDue = false;
      let position = 0;
      for (const place of this.#waiting.values()) this.#tell(place, ++position);
    });
  }

  #tell(place: Place<T, R>, position: number): void {
    if (place.onStanding === undefined) return;
    const expectedWait = Math.round(this.#expectedWaitMs(position) / 100) / 10;
    const { told } = place;
    if (told?.position === position && told.expectedWait === expectedWait) return;
    place.told = { position, expectedWait };
    place.onStanding(place.told);
  }

  #start(id: string, place: Place<T, R>): void {
    const startedAt = this.#now();
    this.#running++;
    place.startedAt = startedAt;
    place.job = this.#options.start(place.item as T);
    const end = () => {
      this.#running--;
      const runMs = this.#now() - startedAt;
      this.#meanRunMs = this.#meanRunMs === 0 ? runMs : 0.9 * this.#meanRunMs + 0.1 * runMs;
      this.#leave(id);
      this.dispatch();
      return { queueMs: startedAt - place.since, runMs };
    };
    place.job.outcome.then(
      (outcome) => place.resolve?.({ outcome, ...end() }),
      (error: unknown) => {
        end();
        place.reject?.(error);
      },
    );
  }

  #leave(id: string): void {
    this.#places.delete(id);
    if (this.#places.size > 0) return;
    for (const resolve of this.#onEmpty.splice(0)) resolve();
  }
}
