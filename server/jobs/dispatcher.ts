import { PublicError, publicError } from "../errors/errors.js";
import type { Forms } from "../forms/forms.js";
import { refusalLine } from "../http/refusal-line.js";
import { LimitReached } from "../keys/caller.js";
import type { Callers } from "../keys/callers.js";
import type { Log } from "../log.js";
import { type Outcome, type Task, WorkerLost } from "../pool/pool.js";
import { DeadlineExceeded } from "../queue/deadlines.js";
import type { Queue } from "../queue/queue.js";
import { Cancelled, QueueRefusal } from "../queue/refusal.js";
import { Generation } from "../requests/generation.js";
import type { Operation } from "../requests/operation.js";
import { isRunning, type Job } from "./job.js";
import type { Jobs } from "./jobs.js";

export interface DispatcherOptions {
  jobs: Jobs;
  operations: readonly Operation[];
  queue: Queue<Task, Outcome>;
  forms: Pick<Forms, "check">;
  callers: Pick<Callers, "named">;
  log: Log;
  /** A clock in milliseconds. */
  now?: () => number;
  /** Calls back once after so many milliseconds. */
  after?: (ms: number, callback: () => void) => void;
}

/** A job that has taken the server or a worker down so often is not tried again. */
const MOST_ATTEMPTS = 5;
/** A caller's limits may have been changed. */
const LONGEST_PAUSE_S = 60;
/** A full queue has a place again at any moment, for who is there. */
const QUEUE_PAUSE_S = 1;

/** A job that has left the line. */
interface UnderWay {
  /** Null until its body is read. */
  generation: Generation | null;
  /** Whether its sequences are in the queue. */
  submitted: boolean;
}

/**
 * Feeds the queue with jobs: as many as there are free slots while nobody waits for one, and one in any case, so that
 * requests are not kept waiting by jobs, nor jobs for ever by requests.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #operations: ReadonlyMap<string, Operation>;
  readonly #now: () => number;
  readonly #after: NonNullable<DispatcherOptions["after"]>;
  readonly #underWay = new Map<Job, UnderWay>();
  /** Until when nothing starts, of anybody or of a caller who has used what is theirs for now. */
  #pausedUntil = 0;
  readonly #pausedCallers = new Map<string, number>();
  #meanRunMs = 0;
  #lastRead: Promise<unknown> = Promise.resolve();
  /** By caller, when the last job that left the line is in the queue. */
  readonly #lastBegun = new Map<string, Promise<unknown>>();

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#operations = new Map(options.operations.map((operation) => [operation.path, operation]));
    this.#now = options.now ?? (() => performance.now());
    this.#after = options.after ?? ((ms, callback) => void setTimeout(callback, ms).unref());
    options.jobs.onWaiting(() => this.dispatch());
  }

  /** Starts what waits, as far as there is room; to be called whenever there may be more of it. */
  dispatch(): void {
    const { line } = this.#options.jobs;
    while (line.size > 0 && this.#now() >= this.#pausedUntil && this.#room > 0) {
      const job = this.#options.jobs.next((caller) => !this.#isPaused(caller));
      if (job === undefined) return;
      const underWay = { generation: null, submitted: false };
      this.#underWay.set(job, underWay);
      void this.#run(job, underWay);
    }
  }

  /** Cancels a job, whatever its state. */
  async cancel(job: Job): Promise<void> {
    const cancelled = this.#options.jobs.cancel(job);
    this.#underWay.get(job)?.generation?.cancel();
    await cancelled;
  }

  /** Until a job at this position starts, in seconds, at the pace of late; null while there is none. */
  expectedWait(position: number): number | null {
    if (this.#meanRunMs === 0) return null;
    const slots = Math.max(this.#options.queue.capacity, 1);
    return Math.round((position * this.#meanRunMs) / slots / 100) / 10;
  }

  /** Until the next job that came now would start, in whole seconds. */
  retryAfter(): number {
    return Math.max(Math.ceil(this.expectedWait(1) ?? 1), 1);
  }

  get #room(): number {
    const { state, capacity, running, waiting } = this.#options.queue;
    if (state !== "open" || capacity === 0) return 0;
    if (this.#underWay.size === 0) return 1;
    // Those whose bodies and forms are still being read take slots in a moment.
    const coming = [...this.#underWay.values()].filter(({ submitted }) => !submitted).length;
    return waiting > 0 ? 0 : capacity - running - coming;
  }

  async #run(job: Job, underWay: UnderWay): Promise<void> {
    const { jobs, log } = this.#options;
    const startedAt = this.#now();
    try {
      if (job.attempts > MOST_ATTEMPTS) throw new PublicError("job_interrupted");
      const body = await this.#bodyOf(job);
      const { result, answer } = await this.#inOrder(job.caller, () => this.#begin(job, body, underWay));
      const { outcomes } = await result;
      const runMs = this.#now() - startedAt;
      this.#meanRunMs = this.#meanRunMs === 0 ? runMs : 0.9 * this.#meanRunMs + 0.1 * runMs;
      await jobs.finish(job, {
        answer: answer(outcomes),
        sequences: outcomes.map(({ generated, completionTokens }) => ({
          text: generated,
          tokens: completionTokens,
        })),
      });
      // The job no longer holds any of its caller's limits.
      this.#pausedCallers.delete(job.caller);
      log.info(`${job.id} - job ${job.state}`, { id: job.id });
    } catch (thrown) {
      await this.#failed(job, thrown);
    } finally {
      this.#underWay.delete(job);
      this.dispatch();
    }
  }

  /** Bodies are read one after the other: a later job that is read sooner would take the slot of an earlier one. */
  #bodyOf(job: Job): Promise<object> {
    const read = this.#lastRead.then(() => this.#options.jobs.bodyOf(job));
    this.#lastRead = read.catch(() => {});
    return read;
  }

  /** Jobs of a caller enter the queue one after the other, though a later one may have no form to wait for. */
  #inOrder<T>(caller: string, begin: () => Promise<T>): Promise<T> {
    const begun = (this.#lastBegun.get(caller) ?? Promise.resolve()).then(begin);
    const settled = begun
      .catch(() => {})
      .then(() => {
        if (this.#lastBegun.get(caller) === settled) this.#lastBegun.delete(caller);
      });
    this.#lastBegun.set(caller, settled);
    return begun;
  }

  /** Resolves when the job's sequences are in the queue. */
  async #begin(job: Job, body: object, underWay: UnderWay) {
    // It was cancelled meanwhile.
    if (!isRunning(job)) throw new Cancelled();
    const operation = this.#operations.get(job.endpoint);
    if (operation === undefined) throw new PublicError("not_found");
    const { jobs, queue, forms, callers, log } = this.#options;
    const caller = callers.named(job.caller);
    if (caller === null) throw new PublicError("unauthorized");
    const generation = new Generation({ queue, forms, request: operation.parse(body), id: job.id, caller });
    underWay.generation = generation;
    const { tasks, answer } = await generation.prepare();
    const sequences = tasks.map(() => ({ text: "", tokens: 0 }));
    job.sequences = sequences;
    log.info(`${job.id} - job started`, { id: job.id, path: job.endpoint });
    const result = generation.run({
      onDelta: (sequence, { text, tokens }) => {
        // A worker that is told to stop may have some more to say, when the job is over or runs anew.
        if (job.sequences !== sequences) return;
        const written = sequences[sequence]!;
        written.text += text;
        written.tokens += tokens;
        jobs.wrote(job);
      },
    });
    underWay.submitted = true;
    return { result, answer };
  }

  async #failed(job: Job, thrown: unknown): Promise<void> {
    const { jobs, log } = this.#options;
    if (!isRunning(job)) return;
    if (isPassing(thrown)) {
      job.attempts--;
      jobs.putBack(job);
      if (!(thrown instanceof Cancelled)) this.#pause(job.caller, thrown);
      return;
    }
    if (thrown instanceof WorkerLost && job.attempts < MOST_ATTEMPTS) return jobs.putBack(job);
    const error = publicError(thrown);
    const { code, status, body } = error;
    const reason = refusalLine(error, job.endpoint, log.hidesPrompts, error.inner);
    log.info(`${job.id} - job failed: ${reason}`, { id: job.id });
    await jobs.fail(job, { code, status, detail: body.detail });
  }

  #isPaused(caller: string): boolean {
    const until = this.#pausedCallers.get(caller);
    if (until === undefined) return false;
    if (this.#now() < until) return true;
    this.#pausedCallers.delete(caller);
    return false;
  }

  #pause(caller: string, thrown: unknown): void {
    const isCallers = isOwnLimit(thrown);
    const seconds = isCallers ? Math.min(thrown.retryAfter ?? 1, LONGEST_PAUSE_S) : QUEUE_PAUSE_S;
    const until = this.#now() + seconds * 1000;
    if (isCallers) this.#pausedCallers.set(caller, until);
    else this.#pausedUntil = until;
    this.#after(seconds * 1000, () => this.dispatch());
  }
}

/** The caller has reached a limit of its own, which holds up nobody else's jobs. */
function isOwnLimit(thrown: unknown): thrown is PublicError {
  return (
    thrown instanceof LimitReached || (thrown instanceof QueueRefusal && thrown.reason === "caller_full")
  );
}

/**
 * No fault of the job: it found no place or waited too long for a slot, its caller's limit was reached, or a drain gave
 * its place up.
 */
function isPassing(thrown: unknown): boolean {
  const isLate = thrown instanceof DeadlineExceeded && thrown.deadline === "queue";
  return isLate || [QueueRefusal, LimitReached, Cancelled].some((kind) => thrown instanceof kind);
}
