import { type Job, tokensOf } from "./job.js";
import type { JobStandings } from "./job-standings.js";
import type { Jobs } from "./jobs.js";

export interface JobDocumentsOptions {
  jobs: Jobs;
  standings: JobStandings;
  /** Milliseconds since 1970. */
  now?: () => number;
}

/** Turns jobs into the `Job` of openapi.yaml. */
export class JobDocuments {
  readonly #jobs: Jobs;
  readonly #standings: JobStandings;
  readonly #now: () => number;

  constructor({ jobs, standings, now = Date.now }: JobDocumentsOptions) {
    this.#jobs = jobs;
    this.#standings = standings;
    this.#now = now;
  }

  /** A job with its result, if it has one; undefined if the job was forgotten while the result was read. */
  async whole(job: Job): Promise<object | undefined> {
    if (job.state !== "done") return this.summary(job);
    const result = await this.#jobs.resultOf(job);
    if (result === undefined && !isDone(job)) return this.summary(job);
    return result && { ...this.summary(job), result: result.answer };
  }

  /** The body of a job's callback, the same at each attempt. */
  async forCallback(job: Job): Promise<object> {
    const { callback: _callback, ...document } = { callback: null, ...(await this.whole(job)) };
    return document;
  }

  /** A job without its result. */
  summary(job: Job): object {
    const { id, endpoint, state, priority, attempts, failure, callback } = job;
    return {
      id,
      endpoint,
      state,
      priority,
      attempts,
      created_at: time(job.createdAt),
      started_at: time(job.startedAt),
      ended_at: time(job.endedAt),
      expires_at: time(this.#jobs.expiresAt(job)),
      ...(state === "queued" && this.standing(job)),
      ...(state === "running" && {
        progress: { tokens: tokensOf(job.sequences), max_tokens: job.maxTokens },
      }),
      ...(failure !== null && { error: failure }),
      ...(callback !== null && {
        callback: { url: callback.url, state: callback.state, attempts: callback.attempts },
      }),
    };
  }

  /** Position and expected start of a waiting job. */
  standing(job: Job): object {
    const { position, waitMs } = this.#standings.of(job);
    return { position, expected_start: waitMs === null ? null : time(this.#now() + waitMs) };
  }
}

/** The state may have changed meanwhile. */
const isDone = ({ state }: Job) => state === "done";

function time(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
