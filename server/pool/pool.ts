import { EventEmitter } from "node:events";
import { MessageChannel, type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { Piscina, queueOptionsSymbol } from "piscina";
import type { SelfTestResult } from "../../models/self-test.js";
import { invalidGrammar, PublicError } from "../errors/errors.js";
import "../../workers/onnx/telemetry.js";
import { Halt } from "../../workers/halt.js";
import { Occupancy } from "../../workers/occupancy.js";
import type {
  Deltas,
  FromSequence,
  FromWorker,
  GenerateTask,
  PromptRead,
  TokenLogprob,
  ToSequence,
  WorkerSetup,
  WorkerStatus,
} from "../../workers/protocol.js";
import { type Placed, Placement } from "./placement/placement.js";

/** Result of a task that did not fail. */
export type Outcome = Finished | Extract<FromSequence, { type: "cancelled" }>;

/** Result of a task that ran to its end. */
export type Finished = Extract<FromSequence, { type: "finished" }>;

/** One sequence to generate. */
export interface Task extends Omit<GenerateTask, "port" | "stream"> {
  /**
   * Called with the text as it comes, how many tokens it is of, and what was asked for of each of them, until `outcome`
   * settles. Text that the outcome has beyond that comes with the outcome alone.
   */
  onText?: OnText;
}

export type OnText = (text: string, tokens: number, logprobs?: TokenLogprob[]) => void;

/** A task that a worker has. */
export interface RunningTask {
  /**
   * Settles when the worker has let go of the task, and so its slot is free again.
   * Rejects with `WorkerLost`, `GenerationFailed`, or `invalid_grammar` where no text can have the form that was asked for.
   */
  outcome: Promise<Outcome>;
  /** Asks the worker to stop; the outcome tells whether that came in time. */
  cancel(): void;
}

/** The worker died, or was ended, with the task in it. */
export class WorkerLost extends PublicError {
  override name = "WorkerLost";
  constructor(inner: string) {
    super("worker_lost", { inner });
  }
}

/** The worker is well, but this task went wrong in it. */
export class GenerationFailed extends PublicError {
  override name = "GenerationFailed";
  constructor(inner: string) {
    super("generation_failed", { inner });
  }
}

export interface PoolOptions {
  /** Absolute path of the workers' entry. */
  filename: string;
  /** One worker starts for each of `deviceIds`. */
  setup: Omit<WorkerSetup, "claims" | "halt" | "occupancy">;
  /** The model's context in tokens. */
  context: number;
  /** The most tasks under way, over all workers; by default as many as they have slots. */
  concurrency?: number;
}

/** State of a task while it is under way. */
interface UnderWay {
  task: Task;
  /** Null until a worker has it. */
  placed: Placed | null;
}

interface PoolEvents {
  /** `capacity` changed: a worker became ready, or died. */
  capacity: [];
  /** Something about a worker is not as planned. */
  remark: [text: string];
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
/** Past it a step is not waited for. A step of a large model takes a second. */
const LONGEST_STEP_MS = 5000;
const HALT_POLL_MS = 2;

/**
 * Piscina loads a worker's code by `require`, and by `import` where that fails. Node.js 20.17 and later can `require` an ES module,
 * but abort the process when the thread is ended meanwhile (seen with 20.20), so here it must fail.
 */
const REQUIRES_NO_MODULE = process.allowedNodeEnvironmentFlags.has("--experimental-require-module")
  ? ["--no-experimental-require-module"]
  : [];

/** The worker threads. `Placement` decides which of them gets a task; this tells it what becomes of them. */
export class Pool extends EventEmitter<PoolEvents> {
  /**
   * Resolves when every worker has loaded the model, with what the last of them says of this machine's numbers; rejects
   * with the reason of the first that can't.
   */
  readonly ready: Promise<SelfTestResult>;
  readonly #piscina: Piscina;
  readonly #concurrency: number;
  readonly #claims: Int32Array<SharedArrayBuffer>;
  readonly #halt: Halt;
  readonly #occupancy: Occupancy;
  /** Of the workers that have loaded the model. */
  readonly #placement: Placement;
  /** By the task's id. */
  readonly #underWay = new Map<string, UnderWay>();
  #closing = false;

  constructor({ filename, setup, context, concurrency = Number.POSITIVE_INFINITY }: PoolOptions) {
    super();
    const workers = setup.deviceIds.length;
    this.#concurrency = concurrency;
    this.#placement = new Placement({ slots: setup.slots, context });
    this.#halt = Halt.for(workers);
    this.#occupancy = Occupancy.for(workers);
    process.once("exit", this.#leaveRuntime);
    this.#claims = new Int32Array(new SharedArrayBuffer(workers * Int32Array.BYTES_PER_ELEMENT));
    this.#piscina = new Piscina({
      filename,
      minThreads: workers,
      maxThreads: workers,
      concurrentTasksPerWorker: setup.slots,
      // The other modes put the thread to sleep between two tasks, and the engine's loop with it.
      atomics: "disabled",
      recordTiming: false,
      execArgv: REQUIRES_NO_MODULE,
      workerData: {
        ...setup,
        claims: this.#claims.buffer,
        halt: this.#halt.buffer,
        occupancy: this.#occupancy.buffer,
      } satisfies WorkerSetup,
      // Piscina takes a worker for ready once its code is imported, long before the model is loaded.
      loadBalancer: (task, candidates) => this.#choose(underWayOf(task), candidates),
    });
    this.ready = this.#start(workers);
    // Nobody is obliged to await it.
    this.ready.catch(() => {});
  }

  /** How many tasks may be under way, with the workers that are ready. */
  get capacity(): number {
    return Math.min(this.#placement.capacity, this.#concurrency);
  }

  /** Hands a task to the worker that `Placement` chooses. The caller keeps the number of tasks under way within `capacity`. */
  run(task: Task): RunningTask {
    const { onText, ...rest } = task;
    const { port1, port2 } = new MessageChannel();
    const underWay: UnderWay = { task, placed: null };
    this.#underWay.set(task.id, underWay);
    const end = (loss: string) => {
      this.#underWay.delete(task.id);
      if (underWay.placed) this.#placement.end(underWay.placed);
      return lastWord(port1) ?? lose(loss);
    };
    const message: GenerateTask = { ...rest, stream: onText !== undefined, port: port2 };
    // The symbol's value reaches the load balancer, and stays in this thread.
    const run = this.#piscina.run({ ...message, [queueOptionsSymbol]: underWay }, { transferList: [port2] });
    return {
      outcome: run.then(
        () => end("the worker let go of the task without a word"),
        // A worker may die of another task just after it finished this one.
        (error: Error) => end(error.message),
      ),
      cancel: () => port1.postMessage({ type: "cancel" } satisfies ToSequence),
    };
  }

  /** Ends the workers, as soon as the step that each is in has ended, and with them whatever they still run. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#halt.call();
    const end = performance.now() + LONGEST_STEP_MS;
    while (this.#halt.isPending && performance.now() < end)
      await new Promise((resolve) => setTimeout(resolve, HALT_POLL_MS));
    await this.#piscina.destroy();
    process.off("exit", this.#leaveRuntime);
  }

  /** The process ends: nothing asynchronous happens any more. */
  readonly #leaveRuntime = () => {
    this.#halt.call();
    this.#halt.wait(LONGEST_STEP_MS);
  };

  #choose<T extends { id: number }>(underWay: UnderWay, candidates: T[]): T | null {
    const placed = this.#placement.place(underWay.task);
    if (placed === null) return null;
    const worker = candidates.find(({ id }) => id === placed.worker);
    if (worker === undefined) {
      // Piscina offers the task again.
      this.#placement.end(placed);
      return null;
    }
    underWay.placed = placed;
    return worker;
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
      if (!started || down || (this.#placement.workers > 0 && failures < MOST_FAILURES)) return;
      down = true;
      this.emit("down", reason);
    };
    const told = (status: WorkerStatus) => {
      if (status.type === "failed") return failed(status.message);
      failures = 0;
      if (status.remark !== undefined) this.emit("remark", status.remark);
      // The order of the devices: the first worker has more to load, and is ready after others.
      this.#placement.join(status.threadId, this.#claims.indexOf(status.threadId));
      this.emit("capacity");
      if (this.#placement.workers < workers) return;
      started = true;
      resolve(status.selfTest);
    };
    this.#piscina.on("message", (message: FromWorker) => {
      if (message.type === "deltas") this.#hear(message);
      else if (message.type === "read") this.#read(message);
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
    for (const [id, ...delta] of deltas) {
      const underWay = this.#underWay.get(id);
      if (underWay?.placed) this.#placement.wrote(underWay.placed, delta[1]);
      underWay?.task.onText?.(...delta);
    }
  }

  #read({ id }: PromptRead): void {
    const placed = this.#underWay.get(id)?.placed;
    if (placed) this.#placement.read(placed);
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
      if (owner === 0 || living.has(owner)) continue;
      this.#halt.leave(index);
      this.#occupancy.clear(index);
      Atomics.compareExchange(this.#claims, index, owner, 0);
    }
    return this.#placement.keep(living);
  }
}

/** The state that `run` has attached to a task. */
function underWayOf(task: object): UnderWay {
  return (task as { [queueOptionsSymbol]: UnderWay })[queueOptionsSymbol];
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
    throw form ? invalidGrammar(message) : new GenerationFailed(message);
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
