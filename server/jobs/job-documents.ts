import { type Job, tokensOf } from "./job.js";
import type { Jobs } from "./jobs.js";

export interface JobDocumentsOptions {
  jobs: Jobs;
  /** Until a job at this position starts, in seconds; null where nobody knows. */
  expectedWait: (position: number) => number | null;
  /** Milliseconds since 1970. */
  now?: () => number;
}

/** Words jobs as openapi.yaml's Job has them. */
export class JobDocuments {
  readonly #jobs: Jobs;
  readonly #expectedWait: JobDocumentsOptions["expectedWait"];
  readonly #now: () => number;

  constructor({ jobs, expectedWait, now = Date.now }: JobDocumentsOptions) {
    this.#jobs = jobs;
    this.#expectedWait = expectedWait;
    this.#now = now;
  }

  /** With its result, if it has one; undefined if it was forgotten while that was read. */
  async whole(job: Job): Promise<object | undefined> {
    if (job.state !== "done") return this.summary(job);
    const result = await this.#jobs.resultOf(job);
    return result && { ...this.summary(job), result: result.answer };
  }

  /** The body of its callback, the same at each attempt. */
  async forCallback(job: Job): Promise<object> {
    const { callback: _callback, ...document } = { callback: null, ...(await this.whole(job)) };
    return document;
  }

  /** All but the result. */
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

  /** Where a job that waits stands. */
  standing(job: Job): object {
    const position = this.#jobs.line.position(job);
    const seconds = this.#expectedWait(position);
    return { position, expected_start: seconds === null ? null : time(this.#now() + seconds * 1000) };
  }
}

function time(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
