import type { Caller, Lease } from "../keys/caller.js";
import type { Finished, Outcome, Task } from "../pool/pool.js";
import type { Queue } from "../queue/queue.js";
import { Removed } from "../queue/refusal.js";
import type { Standing, Ticket } from "../queue/ticket.js";
import type { Delta, Operation, Prepared } from "./operation.js";

/** Hears of a generation while it is under way. */
export interface Listener {
  onStanding?: (standing: Standing) => void;
  onDelta?: (sequence: number, delta: Delta) => void;
  /** A sequence has ended; its outcome has all of its text. */
  onEnd?: (sequence: number, outcome: Finished) => void;
}

export interface Result {
  outcomes: Finished[];
  /** Of the sequences the longest, in milliseconds. */
  queueMs: number;
  runMs: number;
}

export interface GenerationParts {
  queue: Queue<Task, Outcome>;
  operation: Operation;
  /** Has passed the operation's schema. */
  body: object;
  id: string;
  caller: Caller;
}

/**
 * A body on its way through the queue: it takes its places first, then is tokenized, and then its sequences wait and run,
 * each by itself. They come to something together: where one fails, the others are cancelled.
 */
export class Generation {
  readonly #operation: Operation;
  readonly #body: object;
  readonly #id: string;
  readonly #ticket: Ticket<Task, Outcome>;
  /** What the caller may use for it. */
  readonly #lease: Lease;
  #prepared: Prepared | null = null;
  #submitted = false;

  /**
   * Takes the places.
   * @throws HttpError if the caller has used what is theirs
   * @throws QueueRefusal
   */
  constructor({ queue, operation, body, id, caller }: GenerationParts) {
    const { sequences, promptChars, maxTokens, priority, timeouts } = operation.measure(body);
    this.#operation = operation;
    this.#body = body;
    this.#id = id;
    this.#lease = caller.admit({ tokens: promptChars + sequences * maxTokens });
    try {
      this.#ticket = queue.reserve({
        caller: caller.name,
        priority: caller.priorityFor(priority),
        sequences,
        // Before it is tokenized: most tokenizers make fewer tokens than a text has characters.
        promptTokens: promptChars,
        timeouts,
      });
    } catch (error) {
      this.#lease.settle();
      throw error;
    }
  }

  /** Where it stood when it was queued: 1 was the next to start, 0 started at once. */
  get position(): number {
    return this.#ticket.position;
  }

  get prepared(): Prepared {
    if (this.#prepared === null) throw new Error("expected a generation that was prepared");
    return this.#prepared;
  }

  /** Makes its tasks. @throws HttpError for a body that can't be generated, and its places are given back */
  prepare(): Prepared {
    try {
      this.#prepared = this.#operation.prepare(this.#body, this.#id);
      const prompts = new Set(this.#prepared.tasks.map(({ promptIds }) => promptIds));
      this.#ticket.adjust([...prompts].reduce((sum, { length }) => sum + length, 0));
      return this.#prepared;
    } catch (error) {
      this.cancel();
      throw error;
    }
  }

  /**
   * Queues the tasks, at once; resolves when all have ended.
   * Rejects with `Removed` when it was cancelled, with `DeadlineExceeded`, or with what the first that failed has failed with.
   */
  async run(listener: Listener = {}): Promise<Result> {
    const { onDelta } = listener;
    const written = this.prepared.tasks.map(() => 0);
    const items = this.prepared.tasks.map((task, sequence) => {
      const onText: Task["onText"] = (text, tokens, logprobs = []) => {
        written[sequence]! += tokens;
        this.#ticket.progress(sequence, tokens);
        onDelta?.(sequence, { text, tokens, logprobs });
      };
      const listens = onDelta !== undefined || this.#ticket.wantsProgress;
      return {
        item: listens ? { ...task, onText } : task,
        extent: { promptTokens: task.promptIds.length, most: Math.max(task.maxTokens, 1) },
      };
    });
    const sequences = this.#ticket.submit(items, listener.onStanding);
    this.#submitted = true;
    const ends = sequences.map(async (one, sequence) => {
      const done = await one;
      written[sequence] = done.outcome.completionTokens;
      return done;
    });
    // What is cancelled ends later than this does, and has written something all the same.
    void Promise.allSettled(ends).then(() => this.#settle(written));
    try {
      const done = await Promise.all(
        ends.map(async (one, sequence) => {
          const { outcome, queueMs, runMs } = await one;
          if (outcome.type === "cancelled") throw new Removed();
          listener.onEnd?.(sequence, outcome);
          return { outcome, queueMs, runMs };
        }),
      );
      return {
        outcomes: done.map(({ outcome }) => outcome),
        queueMs: Math.max(...done.map(({ queueMs }) => queueMs)),
        runMs: Math.max(...done.map(({ runMs }) => runMs)),
      };
    } catch (error) {
      this.cancel();
      throw error;
    }
  }

  /** Gives up, whatever its state. */
  cancel(): void {
    this.#ticket.cancel();
    if (!this.#submitted) this.#lease.settle();
  }

  /** Counts each prompt once, however many sequences began with it. */
  #settle(written: readonly number[]): void {
    const { tasks } = this.prepared;
    const read = new Set(tasks.filter((_, i) => written[i]! > 0).map(({ promptIds }) => promptIds));
    this.#lease.settle({
      promptTokens: [...read].reduce((sum, { length }) => sum + length, 0),
      completionTokens: written.reduce((sum, tokens) => sum + tokens, 0),
    });
  }
}
