import type { Callback, Job } from "../jobs/job.js";
import type { Jobs } from "../jobs/jobs.js";
import type { Log } from "../log.js";
import type { CallbackRequest } from "./callback-request.js";
import { signedHeaders } from "./signature.js";
import { Slots } from "./slots.js";

export interface CallbacksOptions {
  jobs: Jobs;
  secrets: readonly Buffer[];
  /** The callback's body: the answer of `GET /jobs/{id}`. */
  document: (job: Job) => Promise<object>;
  /** Sends a callback; resolves to the answer's status. */
  send: (request: CallbackRequest) => Promise<number>;
  log: Pick<Log, "info" | "warn">;
  /** Milliseconds by a clock that does not jump, and that goes on after a restart. */
  now?: () => number;
  /** Milliseconds since 1970, for the signature. Default: `now` */
  wall?: () => number;
  /** Calls back once after `ms` milliseconds. */
  after?: (ms: number, callback: () => void) => void;
  /** A random number from 0 to 1. */
  random?: () => number;
}

/** How attempts have ended since the start: `retried` ones are sent again later. */
export interface CallbackCounts {
  delivered: number;
  retried: number;
  failed: number;
  /** Callbacks that are still to be delivered. */
  pending: number;
}

const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 3_600_000;
/** Callbacks are given up this long after the job's end. */
const GIVE_UP_MS = 24 * 3_600_000;
/** A receiver that takes longer is not one that answers promptly. */
const PROMPT_MS = 1000;
/** Status by which a receiver refuses further attempts. */
const GONE = 410;

/**
 * Sends a callback for each ended job, at least once. One that isn't answered with 2xx is sent again, after 5 s, 10 s,
 * 20 s and so on up to an hour, each pause randomly 50 to 150 % of that, for a day. Pending callbacks survive a
 * restart.
 */
export class Callbacks {
  readonly #options: CallbacksOptions;
  readonly #now: () => number;
  readonly #wall: () => number;
  readonly #after: NonNullable<CallbacksOptions["after"]>;
  readonly #random: () => number;
  readonly #ended = { delivered: 0, retried: 0, failed: 0 };
  /** Jobs whose callback was not delivered yet. Some of them may have been removed. */
  readonly #pending = new Set<Job>();
  /** Jobs whose callback is due. */
  readonly #due = new Slots<Job>((job) => this.#send(job));

  constructor(options: CallbacksOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#wall = options.wall ?? options.now ?? Date.now;
    this.#after = options.after ?? ((ms, callback) => void setTimeout(callback, ms).unref());
    this.#random = options.random ?? Math.random;
    options.jobs.onEnd((job) => this.#wait(job));
    for (const job of options.jobs.all()) this.#wait(job);
  }

  get counts(): CallbackCounts {
    let pending = 0;
    for (const { callback } of this.#pending) if (callback?.state === "pending") pending++;
    return { ...this.#ended, pending };
  }

  #wait(job: Job): void {
    if (job.callback?.state !== "pending") return;
    this.#pending.add(job);
    const { url, due } = job.callback;
    const place = { caller: job.caller, receiver: new URL(url).host };
    this.#after(Math.max(due - this.#now(), 0), () => this.#due.add(place, job));
  }

  /** Sends a job's callback. Resolves to whether the receiver answered promptly; null if the job was removed. */
  async #send(job: Job): Promise<boolean | null> {
    const { callback } = job;
    if (callback === null) {
      this.#pending.delete(job);
      return null;
    }
    const startedAt = this.#now();
    const outcome = await this.#attempt(job, callback.url);
    const prompt = typeof outcome === "number" && this.#now() - startedAt < PROMPT_MS;
    if (job.callback === callback) this.#note(job, callback, outcome);
    return prompt;
  }

  #note(job: Job, callback: Callback, outcome: number | string): void {
    const { jobs, log } = this.#options;
    const now = this.#now();
    const attempts = callback.attempts + 1;
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** (attempts - 1), LONGEST_PAUSE_MS) * (0.5 + this.#random());
    const due = now + pause;
    const isDelivered = typeof outcome === "number" && outcome >= 200 && outcome < 300;
    const isOver = outcome === GONE || due - callback.since > GIVE_UP_MS;
    const state = isDelivered ? "delivered" : isOver ? "failed" : "pending";
    this.#ended[state === "pending" ? "retried" : state]++;
    if (state !== "pending") this.#pending.delete(job);
    job.callback = { ...callback, state, attempts, due: state === "pending" ? due : now };
    const what = typeof outcome === "number" ? `answered ${outcome}` : outcome;
    log[isOver && !isDelivered ? "warn" : "info"](`${job.id} - callback ${attempts}: ${what}`, {
      id: job.id,
    });
    jobs.saveCallback(job);
    this.#wait(job);
  }

  /** Sends the callback once. Resolves to the answer's status, or to why there was none. */
  async #attempt(job: Job, url: string): Promise<number | string> {
    const { document, send, secrets } = this.#options;
    try {
      const body = JSON.stringify(await document(job));
      const seconds = Math.floor(this.#wall() / 1000);
      // The same id at each attempt, so that the receiver can recognize a repeated message.
      const headers = { ...signedHeaders(secrets, { id: job.id, seconds, body }), ...job.trace };
      return await send({ url, body, headers });
    } catch (error) {
      return (error as Error).message;
    }
  }
}
