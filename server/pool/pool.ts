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
   * Called with each new piece of text, its number of tokens and, if requested, their log-probabilities, until
   * `outcome` settles. The outcome's text may go on beyond the pieces.
   */
  onText?: OnText;
}

export type OnText = (text: string, tokens: number, logprobs?: TokenLogprob[]) => void;

/** A task that was handed to a worker. */
export interface RunningTask {
  /**
   * Settles when the worker has finished with the task, so its slot is free again.
   * Rejects with `WorkerLost`, `GenerationFailed`, or `invalid_grammar` if no text can have the requested form.
   */
  outcome: Promise<Outcome>;
  /** Asks the worker to stop; the outcome says whether it stopped in time. */
  cancel(): void;
}

/** The worker died or was ended while it ran the task. */
export class WorkerLost extends PublicError {
  override name = "WorkerLost";
  constructor(inner: string) {
    super("worker_lost", { inner });
  }
}

/** The task failed, but its worker goes on. */
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
  /** The most running tasks over all workers. Default: their slots. */
  concurrency?: number;
}

/** A task between `run` and its outcome. */
interface UnderWay {
  task: Task;
  /** Null until a worker has it. */
  placed: Placed | null;
}

interface PoolEvents {
  /** `capacity` changed: a worker became ready, or died. */
  capacity: [];
  /** A worker reports something that is not as planned. */
  remark: [text: string];
  /** A worker died; its successor starts by itself. */
  lost: [];
  /**
   * A worker's successor cannot start, and either no other worker is left or MOST_FAILURES attempts in a row failed
   * (Piscina retries without a pause). Emitted once.
   */
  down: [reason: string];
}

/** After this many failed starts in a row, the cause is taken to be permanent. */
const MOST_FAILURES = 5;
/** Longest wait for a worker's current step. A step of a large model takes a second. */
const LONGEST_STEP_MS = 5000;
const HALT_POLL_MS = 2;

/**
 * Makes `require` fail, so that Piscina falls back to `import` for the worker's code. Node.js 20.17 and later can
 * `require` an ES module, but abort the process if the thread is ended meanwhile (seen with 20.20).
 */
const REQUIRES_NO_MODULE = process.allowedNodeEnvironmentFlags.has("--experimental-require-module")
  ? ["--no-experimental-require-module"]
  : [];

/** The worker threads. `Placement` decides which one gets a task, and learns from the pool how tasks go on. */
export class Pool extends EventEmitter<PoolEvents> {
  /**
   * Resolves when every worker has loaded the model, to the last one's self-test result. Rejects with the error of the
   * first worker that can't load it.
   */
  readonly ready: Promise<SelfTestResult>;
  readonly #piscina: Piscina;
  readonly #concurrency: number;
  readonly #claims: Int32Array<SharedArrayBuffer>;
  readonly #halt: Halt;
  readonly #occupancy: Occupancy;
  /** Knows only workers that have loaded the model. */
  readonly #placement: Placement;
  /** Tasks by id. */
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
      // The other modes block the thread between two tasks, and with it the engine's loop.
      atomics: "disabled",
      recordTiming: false,
      execArgv: REQUIRES_NO_MODULE,
      workerData: {
        ...setup,
        claims: this.#claims.buffer,
        halt: this.#halt.buffer,
        occupancy: this.#occupancy.buffer,
      } satisfies WorkerSetup,
      // Piscina considers a worker ready once its code is imported, long before the model is loaded.
      loadBalancer: (task, candidates) => this.#choose(underWayOf(task), candidates),
    });
    this.ready = this.#start(workers);
    // Nobody has to await `ready`: an unhandled rejection must not end the process.
    this.ready.catch(() => {});
  }

  /** How many tasks may run at once on the workers that are ready. */
  get capacity(): number {
    return Math.min(this.#placement.capacity, this.#concurrency);
  }

  /** Hands a task to the worker that `Placement` chooses. The caller must not run more tasks than `capacity`. */
  run(task: Task): RunningTask {
    const { onText, ...rest } = task;
    const { port1, port2 } = new MessageChannel();
    const underWay: UnderWay = { task, placed: null };
    this.#underWay.set(task.id, underWay);
    const end = (loss: string) => {
      this.#underWay.delete(task.id);
      if (underWay.placed) this.#placement.end(underWay.placed);
      return lastMessage(port1) ?? throwLost(loss);
    };
    const message: GenerateTask = { ...rest, stream: onText !== undefined, port: port2 };
    // The value under the symbol reaches the load balancer, but is not sent to the worker.
    const run = this.#piscina.run({ ...message, [queueOptionsSymbol]: underWay }, { transferList: [port2] });
    return {
      outcome: run.then(
        () => end("the worker ended the task without a result"),
        // Another task may kill the worker just after it finished this one.
        (error: Error) => end(error.message),
      ),
      cancel: () => port1.postMessage({ type: "cancel" } satisfies ToSequence),
    };
  }

  /** Ends the workers after their current step, and with them all running tasks. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#halt.call();
    const end = performance.now() + LONGEST_STEP_MS;
    while (this.#halt.isPending && performance.now() < end)
      await new Promise((resolve) => setTimeout(resolve, HALT_POLL_MS));
    await this.#piscina.destroy();
    process.off("exit", this.#leaveRuntime);
  }

  /** Runs as the process exits, so it has to wait synchronously. */
  readonly #leaveRuntime = () => {
    this.#halt.call();
    this.#halt.wait(LONGEST_STEP_MS);
  };

  #choose<T extends { id: number }>(underWay: UnderWay, candidates: T[]): T | null {
    const placed = this.#placement.place(underWay.task);
    if (placed === null) return null;
    const worker = candidates.find(({ id }) => id === placed.worker);
    if (worker === undefined) {
      // Not a candidate now: Piscina will offer the task again.
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
    const onStatus = (status: WorkerStatus) => {
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
      if (message.type === "deltas") this.#onDeltas(message);
      else if (message.type === "read") this.#onPromptRead(message);
      else onStatus(message);
    });
    this.#piscina.on("workerDestroy", ({ id }: { id: number }) => {
      const wasLoaded = this.#freeDead(id);
      if (this.#closing) return;
      if (wasLoaded) {
        this.emit("lost");
        this.emit("capacity");
      } else {
        // Piscina emits the thread's own error, if any, right after this event, and that one should win.
        queueMicrotask(() => failed("a worker ended before it had loaded the model"));
      }
    });
    this.#piscina.on("error", (error: Error) => {
      if (!started) failed(error.message);
    });
    // Piscina unrefs idle threads, and considers loading ones idle: keep the process alive until they are loaded.
    for (const thread of this.#piscina.threads) thread.ref();
    const unref = () => {
      for (const thread of this.#piscina.threads) thread.unref();
    };
    promise.then(unref, unref);
    return promise;
  }

  #onDeltas({ deltas }: Deltas): void {
    for (const [id, ...delta] of deltas) {
      const underWay = this.#underWay.get(id);
      if (underWay?.placed) this.#placement.wrote(underWay.placed, delta[1]);
      underWay?.task.onText?.(...delta);
    }
  }

  #onPromptRead({ id }: PromptRead): void {
    const placed = this.#underWay.get(id)?.placed;
    if (placed) this.#placement.read(placed);
  }

  /**
   * Frees the devices of dead threads. It is called before Piscina starts a successor, which claims a free device at
   * once. An exited thread has lost its id, so the dead are those not among the living.
   * @returns whether a worker with a loaded model is gone
   */
  #freeDead(dying: number): boolean {
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

/** The state that `run` attached to a task. */
function underWayOf(task: object): UnderWay {
  return (task as { [queueOptionsSymbol]: UnderWay })[queueOptionsSymbol];
}

function throwLost(reason: string): never {
  throw new WorkerLost(reason);
}

/** The task's last message. It was posted before the task ended, so it has arrived by now. */
function lastMessage(port: MessagePort): Outcome | null {
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
