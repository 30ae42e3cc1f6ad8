import type { CompiledForm } from "../../workers/protocol.js";
import type { Forms } from "../forms/forms.js";
import type { Caller, Lease } from "../keys/caller.js";
import type { Finished, Outcome, Task } from "../pool/pool.js";
import type { Queue } from "../queue/queue.js";
import { Cancelled } from "../queue/refusal.js";
import type { Standing, Ticket } from "../queue/ticket.js";
import type { Delta } from "../streams/events.js";
import type { Draft, GenerationRequest, Prepared } from "./operation.js";

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
  forms: Pick<Forms, "check">;
  request: GenerationRequest;
  id: string;
  caller: Caller;
}

/**
 * A body on its way through the queue: it takes its places first, then is tokenized and its form compiled, and then its
 * sequences wait and run, each by itself. They come to something together: where one fails, the others are cancelled.
 */
export class Generation {
  readonly #request: GenerationRequest;
  readonly #forms: Pick<Forms, "check">;
  readonly #id: string;
  readonly #caller: string;
  readonly #ticket: Ticket<Task, Outcome>;
  /** Tokens that the caller may use for it. */
  readonly #lease: Lease;
  #prepared: Prepared | null = null;
  #form: CompiledForm | null = null;
  #submitted = false;

  /**
   * Takes the places.
   * @throws PublicError if the caller has used what is theirs
   * @throws QueueRefusal
   */
  constructor({ queue, forms, request, id, caller }: GenerationParts) {
    const { sequences, promptChars, priority, timeouts } = request;
    this.#request = request;
    this.#forms = forms;
    this.#id = id;
    this.#caller = caller.name;
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

  /**
   * Makes its tasks: at once, but for their form.
   * @throws PublicError for a body that can't be generated, and its places are given back
   * @throws Cancelled or DeadlineExceeded if it is given up meanwhile
   */
  async prepare(): Promise<Prepared> {
    try {
      this.#prepared = this.#request.prepare(this.#id);
      this.#ticket.adjust(promptTokens(this.#prepared.tasks));
      const source = formOf(this.#prepared);
      if (source !== null) this.#form = await this.#forms.check(source, this.#caller, this.#leaving());
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
    const items = this.prepared.tasks.map((draft, sequence) => {
      const task: Task = { ...draft, grammar: this.#form };
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

  /** Is aborted with the reason when the places are given up. */
  #leaving(): AbortSignal {
    const leaving = new AbortController();
    this.#ticket.onGivenUp((reason) => leaving.abort(reason));
    return leaving.signal;
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
 * Rejects for a request that no waiting would help, and takes no place.
 * @param signal gives it up; its reason is thrown
 * @throws NeverFits where it is larger than the queue
 * @throws PublicError for a body that can't be generated
 * @throws PublicError where it may use more tokens than its caller ever may
 */
export async function assertFits(
  { queue, forms, request, id, caller }: GenerationParts,
  signal: AbortSignal,
): Promise<void> {
  caller.assertFits({ tokens: mostTokens(request) });
  const prepared = request.prepare(id);
  queue.assertFits({ sequences: request.sequences, promptTokens: promptTokens(prepared.tasks) });
  const source = formOf(prepared);
  if (source !== null) await forms.check(source, caller.name, signal);
}

/** The one form of all its texts. */
const formOf = ({ tasks }: Prepared) => tasks[0]?.grammar ?? null;

/** The most that a request may use, prompt included; most tokenizers make fewer tokens than a text has characters. */
const mostTokens = ({ promptChars, sequences, maxTokens }: GenerationRequest) =>
  promptChars + sequences * maxTokens;

/** Of each prompt once, however many sequences begin with it. */
function promptTokens(tasks: readonly Draft[]): number {
  const prompts = new Set(tasks.map(({ promptIds }) => promptIds));
  return [...prompts].reduce((sum, { length }) => sum + length, 0);
}
