import type { CompiledForm } from "../../workers/protocol.js";
import type { Forms } from "../forms/forms.js";
import type { Caller, Lease } from "../keys/caller.js";
import type { Finished, Outcome, Task } from "../pool/pool.js";
import type { Queue } from "../queue/queue.js";
import { Cancelled } from "../queue/refusal.js";
import type { Standing, Ticket } from "../queue/ticket.js";
import type { Delta } from "../streams/events.js";
import type { GenerationSummary } from "../telemetry/summary.js";
import type { Milestones } from "../telemetry/telemetry.js";
import type { Texts } from "../texts/texts.js";
import { Course } from "./course.js";
import type { Draft, GenerationRequest, Prepared } from "./operation.js";
import { Spent } from "./spent.js";

/** Callbacks while a generation waits and runs. */
export interface Listener {
  onStanding?: (standing: Standing) => void;
  onDelta?: (sequence: number, delta: Delta) => void;
  /** A sequence has ended; its outcome has the whole text. */
  onEnd?: (sequence: number, outcome: Finished) => void;
  milestones?: Milestones;
}

export interface Result {
  outcomes: Finished[];
  /** The longest of the sequences' waits and runs, in milliseconds. */
  queueMs: number;
  runMs: number;
}

export interface GenerationParts {
  queue: Queue<Task, Outcome>;
  forms: Pick<Forms, "check">;
  texts: Pick<Texts, "reader">;
  request: GenerationRequest;
  id: string;
  caller: Caller;
}

/**
 * A request on its way through the queue. It first takes its places, then its prompt is tokenized and its form
 * compiled, then each of its sequences waits and runs by itself. If one sequence fails, the others are cancelled.
 */
export class Generation {
  readonly #request: GenerationRequest;
  readonly #forms: Pick<Forms, "check">;
  readonly #texts: Pick<Texts, "reader">;
  readonly #id: string;
  readonly #caller: string;
  readonly #ticket: Ticket<Task, Outcome>;
  /** The caller's tokens held for this generation. */
  readonly #lease: Lease;
  readonly #course: Course;
  #prepared: Prepared | null = null;
  #form: CompiledForm | null = null;
  #submitted = false;

  /**
   * Takes the places in the queue.
   * @throws PublicError if a limit of the caller is reached
   * @throws QueueRefusal
   */
  constructor({ queue, forms, texts, request, id, caller }: GenerationParts) {
    const { sequences, promptChars, priority, timeouts } = request;
    this.#request = request;
    this.#forms = forms;
    this.#texts = texts;
    this.#id = id;
    this.#caller = caller.name;
    this.#course = new Course(request, caller.priorityFor(priority));
    this.#lease = caller.admit({ tokens: mostTokens(request) });
    try {
      this.#ticket = queue.reserve({
        caller: caller.name,
        priority: caller.priorityFor(priority),
        sequences,
        // An upper bound until the prompt is tokenized: most tokenizers make fewer tokens than a text has characters.
        promptTokens: promptChars,
        timeouts,
      });
    } catch (error) {
      this.#lease.settle();
      throw error;
    }
  }

  /** Position when it was queued: 0 started at once, 1 was the next to start. */
  get position(): number {
    return this.#ticket.position;
  }

  /** What has become of it so far; it goes on changing until its last sequence has left its slot. */
  get summary(): GenerationSummary {
    return this.#course.summary;
  }

  /** Resolves when no sequence has a slot any more; null until they wait for one. */
  get over(): Promise<void> | null {
    return this.#submitted ? this.#course.isOver : null;
  }

  get prepared(): Prepared {
    if (this.#prepared === null) throw new Error("expected a generation that was prepared");
    return this.#prepared;
  }

  /**
   * Makes the tasks. Without a long text and a form this takes no turn of the event loop. An error frees the places.
   * @throws PublicError for a body that can't be generated
   * @throws Cancelled or DeadlineExceeded if that happens meanwhile
   */
  async prepare(): Promise<Prepared> {
    try {
      const asker = { caller: this.#caller, signal: this.#leaving() };
      this.#prepared = await this.#request.prepare(this.#id, this.#texts.reader(asker));
      asker.signal.throwIfAborted();
      this.#ticket.adjust(promptTokens(this.#prepared.tasks));
      const source = formOf(this.#prepared);
      if (source !== null) this.#form = await this.#forms.check(source, asker.caller, asker.signal);
      this.#course.prepared(this.#prepared.tasks);
      return this.#prepared;
    } catch (error) {
      this.cancel();
      throw error;
    }
  }

  /**
   * Queues the tasks at once; resolves when all have ended. Rejects with `Cancelled`, `DeadlineExceeded`, or the error
   * of the first sequence that failed.
   */
  async run(listener: Listener = {}): Promise<Result> {
    const { onDelta, milestones } = listener;
    if (milestones !== undefined) this.#course.tell(milestones);
    const spent = new Spent(this.prepared.tasks);
    let left = this.prepared.tasks.length;
    const items = this.prepared.tasks.map((draft, sequence) => {
      const task: Task = { ...draft, grammar: this.#form };
      const onRead = () => this.#course.read(sequence, task.promptIds.length);
      const onText: Task["onText"] = (text, tokens, logprobs = []) => {
        spent.wrote(sequence, tokens);
        onRead();
        this.#ticket.progress(sequence, tokens);
        onDelta?.(sequence, { text, tokens, logprobs });
      };
      const listens = onDelta !== undefined || this.#ticket.wantsProgress;
      return {
        item: listens ? { ...task, onText } : { ...task, onRead },
        extent: { promptTokens: task.promptIds.length, most: Math.max(task.maxTokens, 1) },
        onStart: () => this.#course.started(sequence),
        onOutcome: (outcome: Outcome | null) => {
          if (outcome !== null) {
            spent.ended(sequence, outcome);
            this.#course.ended(sequence, outcome);
          }
          // After an error or a timeout the sequences end later than this method. What they use until then counts, too.
          if (--left > 0) return;
          this.#lease.settle(spent.tokens);
          this.#course.over(spent);
        },
      };
    });
    const sequences = this.#ticket.submit(items, listener.onStanding);
    this.#submitted = true;
    try {
      const done = await Promise.all(
        sequences.map(async (one, sequence) => {
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

  /** Cancels the generation in any state. */
  cancel(): void {
    this.#course.givenUp();
    this.#ticket.cancel();
    if (!this.#submitted) this.#lease.settle();
  }

  /** A signal that is aborted with the reason when the ticket's places are given up. */
  #leaving(): AbortSignal {
    const leaving = new AbortController();
    this.#ticket.onGivenUp((reason) => leaving.abort(reason));
    return leaving.signal;
  }
}

/**
 * Rejects a request that could never run, however long it waited. It takes no place in the queue.
 * @param signal aborts the check; its reason is thrown
 * @throws NeverFits if the request is larger than the queue
 * @throws PublicError for a body that can't be generated
 * @throws PublicError if it may use more tokens than the caller's limits ever allow
 */
export async function assertFits(
  { queue, forms, texts, request, id, caller }: GenerationParts,
  signal: AbortSignal,
): Promise<void> {
  caller.assertFits({ tokens: mostTokens(request) });
  const prepared = await request.prepare(id, texts.reader({ caller: caller.name, signal }));
  queue.assertFits({ sequences: request.sequences, promptTokens: promptTokens(prepared.tasks) });
  const source = formOf(prepared);
  if (source !== null) await forms.check(source, caller.name, signal);
}

/** The form, which all tasks share. */
const formOf = ({ tasks }: Prepared) => tasks[0]?.grammar ?? null;

/**
 * Upper bound on a request's tokens, prompts included: most tokenizers make fewer tokens than a text has characters.
 */
const mostTokens = ({ promptChars, sequences, maxTokens }: GenerationRequest) =>
  promptChars + sequences * maxTokens;

/** Prompt tokens of tasks, each prompt counted once, however many tasks share it. */
function promptTokens(tasks: readonly Draft[]): number {
  const prompts = new Set(tasks.map(({ promptIds }) => promptIds));
  return [...prompts].reduce((sum, { length }) => sum + length, 0);
}
