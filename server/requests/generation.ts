import type { Caller, Lease } from "../keys/caller.js";
import type { Finished, Outcome, Task } from "../pool/pool.js";
import type { Queue } from "../queue/queue.js";
import { Cancelled } from "../queue/refusal.js";
import type { Standing, Ticket } from "../queue/ticket.js";
import type { Delta } from "../streams/events.js";
import type { GenerationRequest, Prepared } from "./operation.js";

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
  request: GenerationRequest;
  id: string;
  caller: Caller;
}

/**
 * A body on its way through the queue: it takes its places first, then is tokenized, and then its sequences wait and run,
 * each by itself. They come to something together: where one fails, the others are cancelled.
 */
export class Generation {
  readonly #request: GenerationRequest;
  readonly #id: string;
  readonly #ticket: Ticket<Task, Outcome>;
  /** Tokens that the caller may use for it. */
  readonly #lease: Lease;
  #prepared: Prepared | null = null;
  #submitted = false;

  /**
   * Takes the places.
   * @throws PublicError if the caller has used what is theirs
   * @throws QueueRefusal
   */
  constructor({ queue, request, id, caller }: GenerationParts) {
    const { sequences, promptChars, priority, timeouts } = request;
    this.#request = request;
    this.#id = id;
    this.#lease = caller.admit({ tokens: mostTokens(request) });
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

  /** Makes its tasks. @throws PublicError for a body that can't be generated, and its places are given back */
  prepare(): Prepared {
    try {
      this.#prepared = this.#request.prepare(this.#id);
      this.#ticket.adjust(promptTokens(this.#prepared.tasks));
      return this.#prepared;
    } catch (error) {
      this.cancel();
      throw error;
    }
  }

  /**
   * Queues the tasks, at once; resolves when all have ended.
   * Rejects with `Cancelled` when it was cancelled, with `DeadlineExceeded`, or with what the first that failed has failed with.
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
    // Cancelled sequences end later than this does, and have written something too.
    void Promise.allSettled(ends).then(() => this.#settle(written));
    try {
      const done = await Promise.all(
        ends.map(async (one, sequence) => {
          const { outcome, queueMs, runMs } = await one;
          if (outcome.type === "cancelled") throw new Cancelled();
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
    this.#lease.settle({
      promptTokens: promptTokens(tasks.filter((_, i) => written[i]! > 0)),
      completionTokens: written.reduce((sum, tokens) => sum + tokens, 0),
    });
  }
}

/**
 * Throws for a request that no waiting would help, and takes no place.
 * @throws NeverFits where it is larger than the queue
 * @throws PublicError where it may use more tokens than its caller ever may
 */
export function assertFits({ queue, request, id, caller }: GenerationParts): void {
  caller.assertFits({ tokens: mostTokens(request) });
  const { tasks } = request.prepare(id);
  queue.assertFits({ sequences: request.sequences, promptTokens: promptTokens(tasks) });
}

/** The most that a request may use, prompt included; most tokenizers make fewer tokens than a text has characters. */
const mostTokens = ({ promptChars, sequences, maxTokens }: GenerationRequest) =>
  promptChars + sequences * maxTokens;

/** Of each prompt once, however many sequences begin with it. */
function promptTokens(tasks: readonly Task[]): number {
  const prompts = new Set(tasks.map(({ promptIds }) => promptIds));
  return [...prompts].reduce((sum, { length }) => sum + length, 0);
}
