import { EventEmitter } from "node:events";
import { MessageChannel, type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { Piscina } from "piscina";
import type { SelfTestResult } from "../models/self-test.js";
import type {
  Deltas,
  FromSequence,
  FromWorker,
  GenerateTask,
  TokenLogprob,
  ToSequence,
  WorkerSetup,
  WorkerStatus,
} from "../workers/protocol.js";

/** What a job comes to, when it comes to something. */
export type Outcome = Finished | Extract<FromSequence, { type: "cancelled" }>;

/** A sequence that has come to its end. */
export type Finished = Extract<FromSequence, { type: "finished" }>;

/** One sequence to generate. */
export interface Task extends Omit<GenerateTask, "port" | "stream"> {
  /**
   * Called with the text as it comes, how many tokens it is of, and what was asked for of each of them, until `outcome`
   * settles. What the outcome's text has beyond that is told by the outcome alone.
   */
  onText?: OnText;
}

export type OnText = (text: string, tokens: number, logprobs?: TokenLogprob[]) => void;

/** A task that a worker has. */
export interface Job {
  /**
   * Settles when the worker has let go of the task, and so its slot is free again.
   * Rejects with `WorkerLost`, or with `FormRefused` or `GenerationFailed` and the worker's reason.
   */
  outcome: Promise<Outcome>;
  /** Asks the worker to stop; the outcome tells whether that came in time. */
  cancel(): void;
}

/** The worker died, or was ended, with the task in it. */
export class WorkerLost extends Error {
  override name = "WorkerLost";
}

/** The worker is well, but this task went wrong in it. */
export class GenerationFailed extends Error {
  override name = "GenerationFailed";
}

/** The text turned out not to be able to have the form that its request asks for; the message is for whoever sent it. */
export class FormRefused extends Error {
  override name = "FormRefused";
}

export interface PoolOptions {
  /** Absolute path of the workers' entry. */
  filename: string;
  /** One worker starts for each of `deviceIds`. */
  setup: Omit<WorkerSetup, "claims">;
}

interface PoolEvents {
  /** `capacity` changed: a worker became ready, or died. */
  capacity: [];
  /** A worker died; its successor starts by itself. */
  lost: [];
  /**
   * A worker's successor cannot start, and either no other worker is left, or it has been tried MOST_FAILURES times in a
   * row, which Piscina does without a pause. Told once.
   */
  down: [reason: string];
}

/** So many workers in a row that can't load the model are no accident. */
const MOST_FAILURES = 5;

/** The worker threads. Knows which of them can take a task, and never gives them more than they have slots for. */
export class Pool extends EventEmitter<PoolEvents> {
  /**
   * Resolves when every worker has loaded the model, with what the last of them says of this machine's numbers; rejects
   * with the reason of the first that can't.
   */
  readonly ready: Promise<SelfTestResult>;
  readonly #piscina: Piscina;
  readonly #slots: number;
  readonly #claims: Int32Array<SharedArrayBuffer>;
  /** Thread ids of the workers that have loaded the model. */
  readonly #loaded = new Set<number>();
  /** Who wants the text of which task. */
  readonly #listeners = new Map<string, OnText>();
  #closing = false;

  constructor({ filename, setup }: PoolOptions) {
    super();
    const workers = setup.deviceIds.length;
    this.#slots = setup.slots;
    this.#claims = new Int32Array(new SharedArrayBuffer(workers * Int32Array.BYTES_PER_ELEMENT));
    this.#piscina = new Piscina({
      filename,
      minThreads: workers,
      maxThreads: workers,
      concurrentTasksPerWorker: setup.slots,
      // The other modes put the thread to sleep between two tasks, and the engine's loop with it.
      atomics: "disabled",
      recordTiming: false,
      workerData: { ...setup, claims: this.#claims.buffer } satisfies WorkerSetup,
      // Piscina takes a worker for ready once its code is imported, long before the model is loaded.
      loadBalancer: (_task, candidates) => this.#leastBusy(candidates),
    });
    this.ready = this.#start(workers);
    // Nobody is obliged to await it.
    this.ready.catch(() => {});
  }

  /** How many tasks the workers that are ready can hold together. */
  get capacity(): number {
    return this.#loaded.size * this.#slots;
  }

  /** Hands a task to the least busy worker. The caller keeps the number of jobs under way within `capacity`. */
  run({ onText, ...rest }: Task): Job {
    const { port1, port2 } = new MessageChannel();
    const task: GenerateTask = { ...rest, stream: onText !== undefined, port: port2 };
    if (onText !== undefined) this.#listeners.set(task.id, onText);
    const end = (loss: string) => {
      this.#listeners.delete(task.id);
      return lastWord(port1) ?? lose(loss);
    };
    const run = this.#piscina.run(task, { transferList: [port2] });
    return {
      outcome: run.then(
        () => end("the worker let go of the task without a word"),
        // A worker may die of another task just after it finished this one.
        (error: Error) => end(error.message),
      ),
      cancel: () => port1.postMessage({ type: "cancel" } satisfies ToSequence),
    };
  }

  /** Ends the workers, and with them whatever they still run. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#piscina.destroy();
  }

  #leastBusy<T extends { id: number; currentUsage: number }>(workers: T[]): T | null {
    let least: T | null = null;
    for (const worker of workers) {
      if (!this.#loaded.has(worker.id) || worker.currentUsage >= this.#slots) continue;
      if (least === null || worker.currentUsage < least.currentUsage) least = worker;
    }
    return least;
  }

  #start(workers: number): Promise<SelfTestResult> {
    const { promise, resolve, reject } = withResolvers<SelfTestResult>();
    let started = false;
    let down = false;
    let failures = 0;
    const failed = (reason: string) => {
      if (this.#closing) return;
      reject(new Error(reason));
      failures++;
      if (!started || down || (this.#loaded.size > 0 && failures < MOST_FAILURES)) return;
      down = true;
      this.emit("down", reason);
    };
    const told = (status: WorkerStatus) => {
      if (status.type === "failed") return failed(status.message);
      failures = 0;
      this.#loaded.add(status.threadId);
      this.emit("capacity");
      if (this.#loaded.size < workers) return;
      started = true;
      resolve(status.selfTest);
    };
    this.#piscina.on("message", (message: FromWorker) => {
      if (message.type === "deltas") this.#hear(message);
      else told(message);
    });
    this.#piscina.on("workerDestroy", ({ id }: { id: number }) => {
      const wasLoaded = this.#forget(id);
      if (this.#closing) return;
      if (wasLoaded) {
        this.emit("lost");
        this.emit("capacity");
      } else {
        // Piscina tells the thread's own error, if there is one, right after this event.
        queueMicrotask(() => failed("a worker ended before it had loaded the model"));
      }
    });
    this.#piscina.on("error", (error: Error) => {
      if (!started) failed(error.message);
    });
    // Piscina's idle threads don't keep the process alive, and these are idle to it while they load.
    for (const thread of this.#piscina.threads) thread.ref();
    const unref = () => {
      for (const thread of this.#piscina.threads) thread.unref();
    };
    promise.then(unref, unref);
    return promise;
  }

  #hear({ deltas }: Deltas): void {
    for (const [id, ...delta] of deltas) this.#listeners.get(id)?.(...delta);
  }

  /**
   * Frees what dead threads held; called before Piscina starts a successor, which looks for a free device at once.
   * A thread that has exited has lost its id, hence the search among the living. Tells whether a loaded one is gone.
   */
  #forget(dying: number): boolean {
    const living = new Set(this.#piscina.threads.map(({ threadId }) => threadId));
    living.delete(dying);
    for (let index = 0; index < this.#claims.length; index++) {
      const owner = Atomics.load(this.#claims, index);
      if (owner !== 0 && !living.has(owner)) Atomics.compareExchange(this.#claims, index, owner, 0);
    }
    const dead = [...this.#loaded].filter((id) => !living.has(id));
    for (const id of dead) this.#loaded.delete(id);
    return dead.length > 0;
  }
}

function lose(reason: string): never {
  throw new WorkerLost(reason);
}

/** The task's last message: it was posted before the task ended, so it is there by now. */
function lastWord(port: MessagePort): Outcome | null {
  const received = receiveMessageOnPort(port) as { message: FromSequence } | undefined;
  port.close();
  if (received?.message.type === "failed") {
    const { form, message } = received.message;
    throw form ? new FormRefused(message) : new GenerationFailed(message);
  }
  return received?.message ?? null;
}

function withResolvers<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
