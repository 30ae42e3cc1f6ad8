import { EventEmitter } from "node:events";
import { Delivered, OtherText } from "./delivered.js";
import type { Company } from "./placement/placement.js";
import {
  type Death,
  type Finished,
  type OnText,
  type Outcome,
  type Pool,
  type RunningTask,
  type Task,
  WorkerLost,
} from "./pool.js";

/** What has happened since the start. */
export interface RerunCounts {
  /** Workers that died with tasks. */
  deaths: number;
  /** Tasks that ran again. */
  reruns: number;
  /** Tasks that were given up. */
  failed: number;
}

interface RerunEvents {
  /** A worker died with tasks: how many run again, and why it died. */
  rerun: [tasks: number, reason: string];
  /** A task was given up. */
  failed: [id: string, reason: string];
}

/**
 * Runs the tasks of a dead worker again. A task's text depends on its own fields and seed alone, so the caller sees a pause
 * at most: what it already has is compared and skipped.
 *
 * Some task may have killed the worker, and would kill the next. Invariants:
 * - Whoever was on the dead worker is a suspect, and nobody else.
 * - A task is given up only for two deaths, at the last of which it was alone on its worker. So none is given up for what
 *   another did.
 * - After its first death a task runs with all others. Those present at two deaths are split into halves, which run apart
 *   from each other and from all others. Each further death halves them again, so a task sees at most 3 + log2(slots)
 *   deaths, and those that wait for a half wait for few runs.
 */
export class Reruns extends EventEmitter<RerunEvents> {
  readonly counts: RerunCounts = { deaths: 0, reruns: 0, failed: 0 };
  readonly #pool: Pick<Pool, "run" | "isClosing">;
  readonly #now: () => number;
  /** Tasks of deaths that are still to be judged. */
  readonly #lost = new Map<Death, { runs: Run[]; error: WorkerLost }>();

  /** @param now a clock in milliseconds */
  constructor(pool: Pick<Pool, "run" | "isClosing">, now = () => performance.now()) {
    super();
    this.#pool = pool;
    this.#now = now;
  }

  /** Like `Pool.run`. */
  run(task: Task): RunningTask {
    const run = new Run(task, {
      pool: this.#pool,
      now: this.#now,
      onLost: (error) => this.#onLost(run, error),
    });
    run.start(null);
    return { outcome: run.outcome, cancel: () => run.cancel() };
  }

  /** @returns whether the run has to wait for a verdict */
  #onLost(run: Run, error: WorkerLost): boolean {
    const { death } = error;
    if (death === null || this.#pool.isClosing) return false;
    const known = this.#lost.get(death);
    if (known !== undefined) {
      known.runs.push(run);
      return true;
    }
    this.#lost.set(death, { runs: [run], error });
    // The pool reports all tasks of a death in the same turn of the event loop.
    setImmediate(() => this.#judge(death));
    return true;
  }

  #judge(death: Death): void {
    const { runs, error } = this.#lost.get(death)!;
    this.#lost.delete(death);
    this.counts.deaths++;
    const alive: Run[] = [];
    for (const run of runs) {
      run.deaths++;
      if (run.isCancelled) run.settleCancelled();
      else if (this.#pool.isClosing) run.fail(error);
      else if (run.deaths > 1 && death.tasks === 1) this.#giveUp(run, error);
      else alive.push(run);
    }
    if (alive.length === 0) return;
    this.counts.reruns += alive.length;
    this.emit("rerun", alive.length, error.inner);
    const suspects = alive.filter(({ deaths }) => deaths > 1);
    const half = Math.ceil(suspects.length / 2);
    for (const apart of [suspects.slice(0, half), suspects.slice(half)]) {
      const company = {};
      for (const run of apart) run.start(company);
    }
    for (const run of alive) if (run.deaths === 1) run.start(null);
  }

  #giveUp(run: Run, error: WorkerLost): void {
    this.counts.failed++;
    this.emit("failed", run.id, `its worker died twice with it: ${error.inner}`);
    run.fail(error);
  }
}

type Cancelled = Extract<Outcome, { type: "cancelled" }>;

interface RunParts {
  pool: Pick<Pool, "run">;
  now: () => number;
  /** Says whether the loss is taken care of. */
  onLost: (error: WorkerLost) => boolean;
}

/** One task, from its first run to its outcome. */
class Run {
  readonly outcome: Promise<Outcome>;
  deaths = 0;
  isCancelled = false;
  readonly #task: Task;
  readonly #parts: RunParts;
  readonly #delivered = new Delivered();
  readonly #startedAt: number;
  #firstTextAt: number | null = null;
  /** Its rerun does not repeat what was delivered. The worker still has to let go of it. */
  #otherText: WorkerLost | null = null;
  #resolve!: (outcome: Outcome) => void;
  #reject!: (error: Error) => void;
  /** Null while it waits for a verdict, and when it has ended. */
  #current: RunningTask | null = null;

  constructor(task: Task, parts: RunParts) {
    this.#task = task;
    this.#parts = parts;
    this.#startedAt = parts.now();
    this.outcome = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get id(): string {
    return this.#task.id;
  }

  start(company: Company): void {
    const { pool, now, onLost } = this.#parts;
    const { id, onText } = this.#task;
    const startedAt = now();
    this.#delivered.startOver();
    // A dead worker's last messages may come late: the rerun has an id of its own, so that they are dropped.
    const task = { ...this.#task, id: this.deaths === 0 ? id : `${id}~${this.deaths}` };
    const current = pool.run(onText ? { ...task, onText: this.#forward(onText) } : task, company);
    this.#current = current;
    current.outcome.then(
      (outcome) => this.#end(outcome, startedAt),
      (error: Error) => {
        this.#current = null;
        if (!(error instanceof WorkerLost)) this.fail(error);
        else if (onLost(error)) return;
        else if (this.isCancelled) this.settleCancelled();
        else this.fail(error);
      },
    );
  }

  /** During a pause it ends at once. */
  cancel(): void {
    this.isCancelled = true;
    if (this.#current === null) this.settleCancelled();
    else this.#current.cancel();
  }

  settleCancelled(): void {
    if (this.#otherText !== null) this.fail(this.#otherText);
    else this.#resolve(this.#cancelled());
  }

  fail(error: Error): void {
    this.#reject(error);
  }

  #forward(onText: OnText): OnText {
    return (text, tokens, logprobs) => {
      this.#check(() => {
        const fresh = this.#otherText ? null : this.#delivered.take({ text, tokens, logprobs });
        if (fresh === null) return;
        this.#firstTextAt ??= this.#parts.now();
        onText(fresh.text, fresh.tokens, fresh.logprobs);
      });
    };
  }

  #end(outcome: Outcome, startedAt: number): void {
    this.#current = null;
    this.#check(() => {
      if (outcome.type === "finished" && this.deaths > 0)
        this.#delivered.assertBegins(outcome.generated, outcome.completionTokens);
    });
    if (this.#otherText !== null) this.fail(this.#otherText);
    else if (this.deaths === 0) this.#resolve(outcome);
    else if (outcome.type === "finished")
      this.#resolve({ ...outcome, firstTokenMs: this.#firstTokenMs(outcome, startedAt) });
    else {
      const { promptTokens, completionTokens } = this.#cancelled();
      this.#resolve({
        type: "cancelled",
        promptTokens: Math.max(outcome.promptTokens, promptTokens),
        completionTokens: Math.max(outcome.completionTokens, completionTokens),
      });
    }
  }

  /** What the runs that died have used, as far as it is known: a run that delivered text has read the whole prompt. */
  #cancelled(): Cancelled {
    const { tokens } = this.#delivered;
    return {
      type: "cancelled",
      promptTokens: tokens > 0 ? this.#task.promptIds.length : 0,
      completionTokens: tokens,
    };
  }

  /** From the first run's start on, as the caller saw it. */
  #firstTokenMs(outcome: Finished, startedAt: number): number {
    return (this.#firstTextAt ?? startedAt + outcome.firstTokenMs) - this.#startedAt;
  }

  /** Ends the task if a rerun does not repeat what was delivered: the caller must not get two texts in one. */
  #check(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof OtherText)) throw error;
      this.#otherText = new WorkerLost(error.message);
      this.isCancelled = true;
      this.#current?.cancel();
    }
  }
}
