import type { Callback, Job } from "../jobs/job.js";
import type { Jobs } from "../jobs/jobs.js";
import type { Log } from "../log.js";
import type { CallbackRequest } from "./callback-request.js";
import { signedHeaders } from "./signature.js";

export interface CallbacksOptions {
  jobs: Jobs;
  secrets: readonly Buffer[];
  /** The answer of `GET /jobs/{id}`. */
  document: (job: Job) => Promise<object>;
  /** Resolves to the answer's status. */
  send: (request: CallbackRequest) => Promise<number>;
  log: Pick<Log, "info" | "warn">;
  /** Milliseconds since 1970. */
  now?: () => number;
  /** Calls back once after so many milliseconds. */
  after?: (ms: number, callback: () => void) => void;
  /** From 0 to 1. */
  random?: () => number;
}

const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 3_600_000;
/** From the job's end on. */
const GIVE_UP_MS = 24 * 3_600_000;
/** Requests at once, altogether and to one host: the slowest receiver doesn't keep the others waiting. */
const MOST_AT_ONCE = 16;
const MOST_AT_ONCE_A_HOST = 4;
/** The receiver wants no more of it. */
const GONE = 410;

/**
 * Tells receivers of jobs that have ended, at least once: whatever isn't answered with 2xx is sent again, after 5 s, 10 s,
 * 20 s and so on to an hour, each time give or take a half, for a day. What is still to be told survives a restart.
 */
export class Callbacks {
  readonly #options: CallbacksOptions;
  readonly #now: () => number;
  readonly #after: NonNullable<CallbacksOptions["after"]>;
  readonly #random: () => number;
  /** Due, and not under way for want of room; oldest first. */
  #due: Job[] = [];
  readonly #underWay = new Map<string, number>();
  #requests = 0;

  constructor(options: CallbacksOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#after = options.after ?? ((ms, callback) => void setTimeout(callback, ms).unref());
    this.#random = options.random ?? Math.random;
    options.jobs.onEnd((job) => this.#wait(job));
    for (const job of options.jobs.all()) this.#wait(job);
  }

  #wait(job: Job): void {
    if (job.callback?.state !== "pending") return;
    this.#after(Math.max(job.callback.due - this.#now(), 0), () => {
      this.#due.push(job);
      this.#sendDue();
    });
  }

  #sendDue(): void {
    const due = this.#due;
    this.#due = [];
    for (const job of due) {
      // Forgotten meanwhile.
      if (job.callback === null) continue;
      const { host } = new URL(job.callback.url);
      const toHost = this.#underWay.get(host) ?? 0;
      if (this.#requests >= MOST_AT_ONCE || toHost >= MOST_AT_ONCE_A_HOST) {
        this.#due.push(job);
        continue;
      }
      this.#requests++;
      this.#underWay.set(host, toHost + 1);
      void this.#send(job, job.callback).finally(() => {
        this.#requests--;
        const left = this.#underWay.get(host)! - 1;
        if (left > 0) this.#underWay.set(host, left);
        else this.#underWay.delete(host);
        this.#sendDue();
      });
    }
  }

  async #send(job: Job, callback: Callback): Promise<void> {
    const { jobs, log } = this.#options;
    const outcome = await this.#attempt(job, callback.url);
    if (job.callback !== callback) return;
    const now = this.#now();
    const attempts = callback.attempts + 1;
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** (attempts - 1), LONGEST_PAUSE_MS) * (0.5 + this.#random());
    const due = now + pause;
    const isDelivered = typeof outcome === "number" && outcome >= 200 && outcome < 300;
    const isOver = outcome === GONE || due - callback.since > GIVE_UP_MS;
    const state = isDelivered ? "delivered" : isOver ? "failed" : "pending";
    job.callback = { ...callback, state, attempts, due: state === "pending" ? due : now };
    const what = typeof outcome === "number" ? `answered ${outcome}` : outcome;
    log[isOver && !isDelivered ? "warn" : "info"](`${job.id} - callback ${attempts}: ${what}`, {
      id: job.id,
    });
    jobs.saveCallback(job);
    this.#wait(job);
  }

  /** The answer's status, or why there was none. */
  async #attempt(job: Job, url: string): Promise<number | string> {
    const { document, send, secrets } = this.#options;
    try {
      const body = JSON.stringify(await document(job));
      const seconds = Math.floor(this.#now() / 1000);
      // The same at each attempt, so that the receiver knows a message that it had already.
      return await send({ url, body, headers: signedHeaders(secrets, { id: job.id, seconds, body }) });
    } catch (error) {
      return (error as Error).message;
    }
  }
}
