import { PublicError, publicError } from "../errors/errors.js";
import type { Forms } from "../forms/forms.js";
import { refusalLine } from "../http/refusal-line.js";
import { LimitReached } from "../keys/caller.js";
import type { Callers } from "../keys/callers.js";
import type { Log } from "../log.js";
import type { Outcome, Task } from "../pool/pool.js";
import { DeadlineExceeded } from "../queue/deadlines.js";
import type { Queue } from "../queue/queue.js";
import { Cancelled, QueueRefusal } from "../queue/refusal.js";
import { Generation } from "../requests/generation.js";
import type { Operation } from "../requests/operation.js";
import { StoreUnreadable } from "../store/store-error.js";
import { endedFields, generationLine } from "../telemetry/ended-line.js";
import { newSummary, type Summary, whenComplete } from "../telemetry/summary.js";
import type { Telemetry } from "../telemetry/telemetry.js";
import type { Texts } from "../texts/texts.js";
import { isRunning, type Job } from "./job.js";
import type { Jobs } from "./jobs.js";

export interface DispatcherOptions {
  jobs: Jobs;
  operations: readonly Operation[];
  queue: Queue<Task, Outcome>;
  forms: Pick<Forms, "check">;
  texts: Pick<Texts, "reader">;
  callers: Pick<Callers, "named" | "keyed">;
  telemetry: Telemetry;
  log: Log;
  /** A clock in milliseconds. */
  now?: () => number;
  /** Calls back once after so many milliseconds. */
  after?: (ms: number, callback: () => void) => void;
}

/** A job that ran each time when the process ended may be the cause, and is not tried again. */
const MOST_ATTEMPTS = 5;
/** A pause ends early enough to notice that the caller's limits were changed. */
const LONGEST_PAUSE_S = 60;
/** A place in a full queue can become free at any moment. */
const QUEUE_PAUSE_S = 1;

/** A job that has left the line. */
interface UnderWay {
  /** Null until its body is read. */
  generation: Generation | null;
  /** Whether its sequences are in the queue. */
  submitted: boolean;
  readonly summary: Summary;
}

/**
 * Feeds jobs to the queue. While no request waits, jobs take all free slots: requests never wait behind a line of jobs. One
 * job runs in any case, so that requests can't keep jobs waiting for ever.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #operations: ReadonlyMap<string, Operation>;
  readonly #now: () => number;
  readonly #after: NonNullable<DispatcherOptions["after"]>;
  readonly #underWay = new Map<Job, UnderWay>();
  /** No job starts before this time: none at all, or none of a caller that has reached its limits. */
  #pausedUntil = 0;
  readonly #pausedCallers = new Map<string, number>();
  #lastRead: Promise<unknown> = Promise.resolve();
  /** By caller, settles when the last job that left the line is in the queue. */
  readonly #lastBegun = new Map<string, Promise<unknown>>();

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#operations = new Map(options.operations.map((operation) => [operation.path, operation]));
    this.#now = options.now ?? (() => performance.now());
    this.#after = options.after ?? ((ms, callback) => void setTimeout(callback, ms).unref());
    options.jobs.onWaiting(() => this.dispatch());
  }

  /** How many jobs have left the line and not ended. */
  get running(): number {
    return this.#underWay.size;
  }

  /** Starts waiting jobs while there is room. Call it whenever a slot may have become free. */
  dispatch(): void {
    const { line } = this.#options.jobs;
    while (line.size > 0 && this.#now() >= this.#pausedUntil && this.#room > 0) {
      const job = this.#options.jobs.next((caller) => !this.#isPaused(caller));
      if (job === undefined) return;
      const underWay = { generation: null, submitted: false, summary: this.#summaryOf(job) };
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

  get #room(): number {
    const { state, capacity, running, waiting } = this.#options.queue;
    if (state !== "open" || capacity === 0) return 0;
    if (this.#underWay.size === 0) return 1;
    // Jobs whose bodies and forms are still being read take slots in a moment.
    const coming = [...this.#underWay.values()].filter(({ submitted }) => !submitted).length;
    return waiting > 0 ? 0 : capacity - running - coming;
  }

  async #run(job: Job, underWay: UnderWay): Promise<void> {
    const { jobs } = this.#options;
    try {
      if (job.attempts > MOST_ATTEMPTS) throw new PublicError("job_interrupted");
      const body = await this.#bodyOf(job);
      const { result, answer } = await this.#inOrder(job.caller, () => this.#begin(job, body, underWay));
      const { outcomes } = await result;
      await jobs.finish(job, {
        answer: answer(outcomes),
        sequences: outcomes.map(({ generated, completionTokens }) => ({
          text: generated,
          tokens: completionTokens,
        })),
      });
      // What the job held of its caller's limits is free again.
      this.#pausedCallers.delete(job.caller);
      this.#ended(underWay, job, { status: 200 });
    } catch (thrown) {
      await this.#failed(job, thrown, underWay);
    } finally {
      this.#underWay.delete(job);
      this.dispatch();
    }
  }

  #summaryOf({ id, endpoint, caller, trace }: Job): Summary {
    const { callers, telemetry } = this.#options;
    const summary = newSummary({ kind: "job", id, method: "JOB", path: endpoint });
    Object.assign(summary, { route: endpoint, caller: callers.keyed ? caller : null });
    telemetry.emit("begun", summary, { ...trace });
    return summary;
  }

  #ended({ summary, generation }: UnderWay, job: Job, outcome: Partial<Summary>): void {
    Object.assign(summary, outcome, { endedAt: performance.now() });
    const { state } = job;
    whenComplete(summary, () => {
      this.#options.telemetry.emit("ended", summary);
      const done = generation && `, ${generationLine(generation.summary)}`;
      const how = summary.error === null ? `${state}${done ?? ""}` : `failed: ${summary.error.told}`;
      this.#options.log.info(`${job.id} - job ${how}`, endedFields(summary));
    });
  }

  /** Bodies are read one after the other. Otherwise a later job whose body is read sooner would take an earlier one's slot. */
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
    // The job was cancelled while its body was read.
    if (!isRunning(job)) throw new Cancelled();
    const operation = this.#operations.get(job.endpoint);
    if (operation === undefined) throw new PublicError("not_found");
    const { jobs, queue, forms, texts, callers, telemetry, log } = this.#options;
    const caller = callers.named(job.caller);
    if (caller === null) throw new PublicError("unauthorized");
    const request = operation.parse(body);
    const generation = new Generation({ queue, forms, texts, request, id: job.id, caller });
    underWay.generation = generation;
    Object.assign(underWay.summary, { generation: generation.summary, body });
    const { tasks, answer } = await generation.prepare();
    const sequences = tasks.map(() => ({ text: "", tokens: 0 }));
    job.sequences = sequences;
    log.info(`${job.id} - job started`, { id: job.id, path: job.endpoint });
    const result = generation.run({
      milestones: telemetry.milestonesOf(underWay.summary),
      onDelta: (sequence, { text, tokens }) => {
        // A worker that was told to stop may still send text when the job has ended or runs again.
        if (job.sequences !== sequences) return;
        const written = sequences[sequence]!;
        written.text += text;
        written.tokens += tokens;
        jobs.wrote(job);
      },
    });
    underWay.submitted = true;
    underWay.summary.over = generation.over;
    return { result, answer };
  }

  async #failed(job: Job, thrown: unknown, underWay: UnderWay): Promise<void> {
    const { jobs, log } = this.#options;
    if (!isRunning(job)) {
      this.#ended(underWay, job, { left: true });
      return;
    }
    if (isPassing(thrown)) {
      job.attempts--;
      jobs.putBack(job);
      if (!(thrown instanceof Cancelled)) this.#pause(job.caller, thrown);
      return;
    }
    const error = publicError(thrown);
    const { code, status, body } = error;
    const told = refusalLine(error, job.endpoint, log.hidesPrompts, error.inner);
    this.#ended(underWay, job, { status, error: { code, told, stack: "" } });
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
    this.#after(seconds * 1000, () => {
      // Node's timers may fire a moment early, and no other one would end the pause.
      if (this.#pausedCallers.get(caller) === until) this.#pausedCallers.delete(caller);
      if (this.#pausedUntil === until) this.#pausedUntil = 0;
      this.dispatch();
    });
  }
}

/** Whether the caller has reached a limit of its own; jobs of others go on. */
function isOwnLimit(thrown: unknown): thrown is PublicError {
  return (
    thrown instanceof LimitReached ||
    (thrown instanceof QueueRefusal && thrown.reason === "caller_queue_full")
  );
}

/**
 * Whether the job may simply be tried again: there was no place in the queue, or no slot in time, its caller's limit was
 * reached, a drain cancelled it, or the disk can't be read for the moment.
 */
function isPassing(thrown: unknown): boolean {
  const isLate = thrown instanceof DeadlineExceeded && thrown.deadline === "queue";
  return (
    isLate || [QueueRefusal, LimitReached, Cancelled, StoreUnreadable].some((kind) => thrown instanceof kind)
  );
}
