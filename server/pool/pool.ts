import { EventEmitter } from "node:events";
import { MessageChannel, type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { Piscina, queueOptionsSymbol } from "piscina";
import type { SelfTestResult } from "../../models/self-test.js";
import { invalidGrammar, PublicError } from "../errors/errors.js";
import "../../workers/onnx/telemetry.js";
import type { Slot, WorkerCounts } from "../../workers/gauges.js";
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
import { type Company, type Placed, Placement } from "./placement/placement.js";
import { Places } from "./places.js";
import { Starts } from "./starts.js";
import { abandon, untilEnded } from "./threads.js";
import { PATIENCE, type Patience, type Seen, Watch } from "./watch.js";

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
  /** Called when its first token is there, if it has no `onText` and does not end with that token. Again for a rerun. */
  onRead?: () => void;
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

/** What a worker does. One that died is loading until its successor is ready. */
export interface WorkerState {
  state: "loading" | "idle" | "busy" | "stalled";
  slots: Slot[];
}

/** A worker's death; the same object for all tasks that it ran. */
export interface Death {
  /** How many tasks the worker had, those included whose result it had sent. */
  tasks: number;
}

/** The worker died or was ended while it ran the task. */
export class WorkerLost extends PublicError {
  override name = "WorkerLost";
  readonly #death: Death | null;

  /** @param death null if the worker has not died */
  constructor(inner: string, death: Death | null = null) {
    super("worker_lost", { inner });
    this.#death = death;
  }

  get death(): Death | null {
    return this.#death;
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
  setup: Omit<WorkerSetup, "claims" | "halt" | "occupancy" | "progress" | "gauges">;
  /** The model's context in tokens. */
  context: number;
  /** The most running tasks over all workers. Default: their slots. */
  concurrency?: number;
  /** Size of a worker's JavaScript heap, in MiB, beyond which it is ended. Default: Node's own. */
  heapMegabytes?: number;
  /** How long a worker with work may go without a step, and how often the pool looks, in milliseconds. */
  patience?: Patience & { look: number };
  /** How long a worker may take to load the model, in milliseconds. */
  loading?: Patience;
}

/** A task between `run` and its outcome. */
interface UnderWay {
  readonly task: Task;
  readonly company: Company;
  /** Null until a worker has it. */
  placed: Placed | null;
  /** The death of its worker. */
  death: Death | null;
  /** Hands it to the worker that it was placed on. */
  begin(): void;
  end(settle: () => Outcome): void;
}

interface PoolEvents {
  /** `capacity` changed: a worker became ready, or died. */
  capacity: [];
  /** A worker reports something that is not as planned. */
  remark: [text: string];
  /** A worker died, other than by `renew`; its successor starts by itself. */
  lost: [];
  /** A worker hung, and was ended. `lost` follows, unless it was still loading. */
  hung: [reason: string];
  /**
   * A worker's successor cannot start, and either no other worker is left or several attempts in a row failed. Emitted
   * once.
   */
  down: [reason: string];
}

/** Longest wait for a worker's current step. A step of a large model takes a second. */
const LONGEST_STEP_MS = 5000;
const HALT_POLL_MS = 2;
const LOOK_MS = 500;

/**
 * Makes `require` fail, so that Piscina falls back to `import` for the worker's code. Node.js 20.17 and later can
 * `require` an ES module, but abort the process if the thread is ended meanwhile (seen with 20.20).
 */
const REQUIRES_NO_MODULE = process.allowedNodeEnvironmentFlags.has("--experimental-require-module")
  ? ["--no-experimental-require-module"]
  : [];

/**
 * The worker threads. `Placement` decides which one gets a task, and learns from the pool how tasks go on. A task that no
 * worker can take yet, since one has died or its company has to change, waits here, before Piscina knows of it.
 */
export class Pool extends EventEmitter<PoolEvents> {
  /**
   * Resolves when every worker has loaded the model, to the last one's self-test result. Rejects with the error of the
   * first worker that can't load it.
   */
  readonly ready: Promise<SelfTestResult>;
  readonly #piscina: Piscina;
  /** How many workers there are when all are alive. */
  readonly size: number;
  readonly #concurrency: number;
  readonly #places: Places;
  readonly #watch: Watch;
  readonly #starts: Starts;
  readonly #looking: NodeJS.Timeout;
  /** Knows only workers that have loaded the model. */
  readonly #placement: Placement;
  /** Tasks by id. */
  readonly #underWay = new Map<string, UnderWay>();
  /** Those of them that no worker could take yet, in the order of their coming. */
  readonly #waiting = new Set<UnderWay>();
  /** Living workers whose start has failed. */
  readonly #failed = new Set<number>();
  #failStart: (reason: string) => void = () => {};
  /** The last worker that was ended to be replaced. */
  #renewed: number | null = null;
  #closing = false;

  constructor(options: PoolOptions) {
    super();
    const { filename, setup, context, concurrency = Number.POSITIVE_INFINITY, heapMegabytes } = options;
    const { patience = { ...PATIENCE, look: LOOK_MS }, loading } = options;
    const workers = setup.deviceIds.length;
    this.size = workers;
    this.#concurrency = concurrency;
    this.#placement = new Placement({ slots: setup.slots, keptPrefixes: setup.keptPrefixes, context });
    this.#places = new Places(workers, setup.slots);
    this.#watch = new Watch(patience.look, patience);
    this.#starts = new Starts(patience.look, loading);
    process.once("exit", this.#leaveRuntime);
    this.#piscina = new Piscina({
      filename,
      minThreads: workers,
      maxThreads: workers,
      concurrentTasksPerWorker: setup.slots,
      // The other modes block the thread between two tasks, and with it the engine's loop.
      atomics: "disabled",
      recordTiming: false,
      execArgv: REQUIRES_NO_MODULE,
      workerData: { ...setup, ...this.#places.setup } satisfies WorkerSetup,
      ...(heapMegabytes !== undefined && { resourceLimits: { maxOldGenerationSizeMb: heapMegabytes } }),
      loadBalancer: (task, candidates) =>
        candidates.find(({ id }) => id === underWayOf(task).placed?.worker) ?? null,
    });
    this.ready = this.#start(workers);
    // Nobody has to await `ready`: an unhandled rejection must not end the process.
    this.ready.catch(() => {});
    let lookedAt = performance.now();
    this.#looking = setInterval(() => {
      const now = performance.now();
      this.#look(now - lookedAt);
      lookedAt = now;
    }, patience.look).unref();
  }

  /**
   * How many workers have loaded the model, how many of them have work and have made no step for a while, and how many
   * successors could not be started.
   */
  get workers(): { loaded: number; stalled: number; failedStarts: number } {
    const { workers: loaded } = this.#placement;
    return { loaded, stalled: this.#watch.stalled, failedStarts: this.#starts.failures };
  }

  /** What each worker does, in the order of their places. */
  get states(): WorkerState[] {
    return Array.from({ length: this.size }, (_, place) => {
      const worker = this.#places.ownerOf(place);
      return { state: this.#stateOf(worker), slots: this.#places.gauges.slots(place) };
    });
  }

  #stateOf(worker: number): WorkerState["state"] {
    if (!this.#placement.has(worker)) return "loading";
    if (this.#watch.isStalled(worker)) return "stalled";
    return this.#placement.hasWork(worker) ? "busy" : "idle";
  }

  /** What all workers together have computed since the start. */
  get counts(): WorkerCounts {
    return this.#places.gauges.counts;
  }

  /** Whether it ends its workers, so that no task can run any more. */
  get isClosing(): boolean {
    return this.#closing;
  }

  /** How many tasks may run at once on the workers that are ready. */
  get capacity(): number {
    return Math.min(this.#placement.capacity, this.#concurrency);
  }

  /**
   * Hands a task to the worker that `Placement` chooses, as soon as there is one. The caller must not run more tasks than
   * `capacity` had room for when they came.
   * @param company of the task: it shares a worker only with tasks of the same
   */
  run(task: Task, company: Company = null): RunningTask {
    const { onText, onRead: _, ...rest } = task;
    const { port1, port2 } = new MessageChannel();
    const { promise: outcome, resolve, reject } = withResolvers<Outcome>();
    const end: UnderWay["end"] = (settle) => {
      this.#underWay.delete(task.id);
      this.#waiting.delete(underWay);
      if (underWay.placed) this.#placement.end(underWay.placed);
      try {
        resolve(settle());
      } catch (error) {
        reject(error as Error);
      }
      this.#endDismissed();
      this.#offer();
    };
    const ended = (loss: string) =>
      end(() => lastMessage(port1) ?? throwLost(new WorkerLost(loss, underWay.death)));
    const begin = () => {
      const message: GenerateTask = { ...rest, stream: onText !== undefined, port: port2 };
      // The value under the symbol reaches the load balancer, but is not sent to the worker.
      const run = this.#piscina.run(
        { ...message, [queueOptionsSymbol]: underWay },
        { transferList: [port2] },
      );
      run.then(
        () => ended("the worker ended the task without a result"),
        // Another task may kill the worker just after it finished this one.
        (error: Error) => ended(error.message),
      );
    };
    const underWay: UnderWay = { task, company, placed: null, death: null, begin, end };
    this.#underWay.set(task.id, underWay);
    this.#waiting.add(underWay);
    this.#offer();
    return {
      outcome,
      cancel: () => {
        if (this.#waiting.has(underWay))
          end(() => ({ type: "cancelled", promptTokens: 0, completionTokens: 0 }));
        else port1.postMessage({ type: "cancel" } satisfies ToSequence);
      },
    };
  }

  /** Whether all workers have loaded the model, and none is being renewed. */
  get isWhole(): boolean {
    return this.#placement.workers === this.size && this.#placement.dismissed === null;
  }

  /** Replaces the oldest worker: it gets no more work, and is ended once it has none left. That frees its memory. */
  renew(): void {
    if (!this.isWhole || this.#closing) return;
    this.#placement.dismissOldest();
    this.#endDismissed();
  }

  #endDismissed(): void {
    const { dismissed } = this.#placement;
    if (dismissed === null || this.#placement.hasWork(dismissed) || this.#closing) return;
    this.#renewed = dismissed;
    this.#giveUp(dismissed, "the worker is replaced");
  }

  /** Ends the workers after their current step, and with them all running tasks. */
  async close(): Promise<void> {
    this.#closing = true;
    clearInterval(this.#looking);
    for (const { end } of [...this.#waiting]) end(() => throwLost(new WorkerLost("the pool is closed")));
    const { halt } = this.#places;
    halt.call();
    const deadline = performance.now() + LONGEST_STEP_MS;
    while (halt.isPending && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, HALT_POLL_MS));
    await this.#piscina.destroy();
    await untilEnded();
    process.off("exit", this.#leaveRuntime);
  }

  /** Runs as the process exits, so it has to wait synchronously. */
  readonly #leaveRuntime = () => {
    this.#places.halt.call();
    this.#places.halt.wait(LONGEST_STEP_MS);
  };

  /**
   * Hands out waiting tasks. While some company waits for an idle worker, nobody else gets a slot, or it might wait for
   * ever.
   */
  #offer(): void {
    let isBlocked = false;
    for (const underWay of this.#waiting) {
      if (isBlocked && underWay.company === null) continue;
      underWay.placed = this.#placement.place(underWay.task, underWay.company);
      if (underWay.placed !== null) {
        this.#waiting.delete(underWay);
        underWay.begin();
      } else if (underWay.company !== null) isBlocked = true;
    }
    // Piscina's threads don't keep the process alive while they load, but somebody waits for this one.
    if (this.#waiting.size > 0) this.#looking.ref();
    else this.#looking.unref();
  }

  /** Ends workers that hang. @param elapsedMs since the last look */
  #look(elapsedMs: number): void {
    const loading: number[] = [];
    const seen: Seen[] = [];
    // A thread that has just exited has no id any more.
    for (const { threadId: worker } of this.#piscina.threads.filter(({ threadId }) => threadId > 0)) {
      const place = this.#places.of(worker);
      if (!this.#placement.has(worker)) loading.push(worker);
      else if (place >= 0)
        seen.push({ worker, hasWork: this.#placement.hasWork(worker), ...this.#places.pace(place) });
    }
    for (const worker of this.#watch.look(seen, elapsedMs)) {
      this.emit("hung", "a worker has work and makes no step");
      this.#giveUp(worker, "the worker made no step for too long");
    }
    const reason = `a worker had not loaded the model after ${this.#starts.limitMs / 1000} s`;
    for (const worker of this.#starts.look(loading, elapsedMs)) {
      this.emit("hung", reason);
      this.#failed.add(worker);
      this.#failStart(reason);
      this.#giveUp(worker, reason);
    }
  }

  #threadOf(worker: number) {
    return this.#piscina.threads.find(({ threadId }) => threadId === worker);
  }

  /** Ends a worker, whatever it does; its successor starts at once. */
  #giveUp(worker: number, reason: string): void {
    const thread = this.#threadOf(worker);
    if (thread === undefined) return;
    abandon(thread, this.#places.takeFrom(worker), reason);
  }

  #start(workers: number): Promise<SelfTestResult> {
    const { promise, resolve, reject } = withResolvers<SelfTestResult>();
    const starts = this.#starts;
    let down = false;
    const failed = (reason: string) => {
      if (this.#closing) return;
      reject(new Error(reason));
      starts.failed();
      if (!starts.isComplete || down || !starts.isHopeless(this.#placement.workers > 0)) return;
      down = true;
      this.emit("down", reason);
    };
    this.#failStart = failed;
    const onStatus = (status: WorkerStatus) => {
      if (status.type === "failed") {
        this.#failed.add(status.threadId);
        failed(status.message);
        // Its thread lives on, so Piscina starts no successor before it is ended.
        setTimeout(
          () => this.#closing || this.#giveUp(status.threadId, status.message),
          starts.pauseMs,
        ).unref();
        return;
      }
      starts.succeeded();
      this.#threadOf(status.threadId)?.unref();
      if (status.remark !== undefined) this.emit("remark", status.remark);
      // The order of the devices: the first worker has more to load, and is ready after others.
      this.#placement.join(status.threadId, this.#places.of(status.threadId));
      this.#offer();
      this.emit("capacity");
      if (this.#placement.workers < workers) return;
      starts.complete();
      resolve(status.selfTest);
    };
    this.#piscina.on("message", (message: FromWorker) => {
      if (message.type === "deltas") this.#onDeltas(message);
      else if (message.type === "read") this.#onPromptRead(message);
      else onStatus(message);
    });
    this.#piscina.on("workerDestroy", ({ id }: { id: number }) => {
      this.#vouchForSuccessor();
      const wasLoaded = this.#freeDead(id);
      if (this.#closing) return;
      if (wasLoaded) {
        if (id !== this.#renewed) this.emit("lost");
        this.emit("capacity");
      } else {
        // Piscina emits the thread's own error, if any, right after this event, and that one should win.
        const isTold = this.#failed.delete(id);
        queueMicrotask(() => isTold || failed("a worker ended before it had loaded the model"));
      }
    });
    this.#piscina.on("error", (error: Error) => {
      if (!starts.isComplete) failed(error.message);
    });
    // Piscina unrefs idle threads, and considers loading ones idle: keep the process alive until they are loaded.
    for (const thread of this.#piscina.threads) thread.ref();
    const unref = () => {
      for (const thread of this.#piscina.threads) thread.unref();
    };
    promise.then(unref, unref);
    return promise;
  }

  /**
   * Piscina takes the first workers for ready at once, their successors when they say that their code is imported. If one
   * ends before, Piscina never starts another. So a successor says it at once too: it gets no task before it has loaded the
   * model. Piscina's own queue must stay empty: it offers a task only when another has ended.
   */
  #vouchForSuccessor(): void {
    // Piscina starts it right after its event.
    queueMicrotask(() => {
      for (const thread of this.#piscina.threads) {
        thread.emit("message", { _WORKER_READY: true });
        // Piscina unrefs it then: keep the process alive until it is loaded.
        if (!this.#placement.has(thread.threadId)) thread.ref();
      }
    });
  }

  #onDeltas({ deltas }: Deltas): void {
    for (const [id, ...delta] of deltas) {
      const underWay = this.#underWay.get(id);
      if (underWay?.placed) this.#placement.wrote(underWay.placed, delta[1]);
      underWay?.task.onText?.(...delta);
    }
  }

  #onPromptRead({ id }: PromptRead): void {
    const underWay = this.#underWay.get(id);
    if (underWay?.placed) this.#placement.read(underWay.placed);
    underWay?.task.onRead?.();
  }

  /**
   * Frees the devices of dead threads. It is called before Piscina starts a successor, which claims a free device at
   * once. An exited thread has lost its id, so the dead are those not among the living.
   * @returns whether a worker with a loaded model is gone
   */
  #freeDead(dying: number): boolean {
    const living = new Set(this.#piscina.threads.map(({ threadId }) => threadId));
    living.delete(dying);
    this.#places.keep(living);
    const deaths = new Map<number, Death>();
    for (const underWay of this.#underWay.values()) {
      const { placed } = underWay;
      if (placed === null || living.has(placed.worker)) continue;
      const death = deaths.get(placed.worker) ?? { tasks: 0 };
      deaths.set(placed.worker, death);
      death.tasks++;
      underWay.death = death;
    }
    return this.#placement.keep(living);
  }
}

/** The state that `run` attached to a task. */
function underWayOf(task: object): UnderWay {
  return (task as { [queueOptionsSymbol]: UnderWay })[queueOptionsSymbol];
}

function throwLost(lost: WorkerLost): never {
  throw lost;
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
