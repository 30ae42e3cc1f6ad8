import { EventEmitter } from "node:events";
import { fileURLToPath } from "node:url";
import { cacheBytesPerSlot, type ModelFolder, readModelFolder } from "../../models/folder.js";
import type { SelfTestResult } from "../../models/self-test.js";
import { Forms } from "../forms/forms.js";
import type { Callers } from "../keys/callers.js";
import type { Workers } from "../live/live.js";
import type { Log } from "../log.js";
import { probeHardware } from "../plan/hardware.js";
import { heapMegabytes, keptPrefixes, memoryBudget, within } from "../plan/memory.js";
import { type Plan, planDevices } from "../plan/plan.js";
import { type Outcome, Pool, type RunningTask, type Task } from "../pool/pool.js";
import { Reruns } from "../pool/rerun.js";
import { Queue } from "../queue/queue.js";
import type { Vitals } from "../routes/health.js";
import { type Config, expectation } from "../settings/config.js";
import { settlesWithin } from "../settles-within.js";
import { Texts } from "../texts/texts.js";
import { MemoryGuard } from "./memory-guard.js";
import { preparedGraph } from "./prepared-graph.js";
import { TemporaryFolder } from "./temporary-folder.js";

/** How long a stop waits for things that should take no time: a worker's current step, the last bytes to a client. */
export const LAST_MS = 2000;

export type RuntimeConfig = Pick<
  Config,
  | "model"
  | "device"
  | "workers"
  | "concurrency"
  | "threads"
  | "memoryBytes"
  | "contextStride"
  | "speculation"
  | "maxPromptChars"
  | "queueLimit"
  | "queueLimitCaller"
  | "queueTokens"
  | "timeoutQueue"
  | "timeoutFirstToken"
  | "timeoutStall"
  | "timeoutTotal"
>;

export interface RuntimeOptions {
  config: RuntimeConfig;
  callers: Pick<Callers, "keyed" | "several">;
  log: Log;
  /** Whether the process's memory is this model's, so that workers are replaced when it is short. Default: false. */
  owns?: boolean;
}

const NO_WORKERS = { loaded: 0, stalled: 0, failedStarts: 0 };

const entries = {
  compile: fileURLToPath(new URL("../../workers/compile.js", import.meta.url)),
  generate: fileURLToPath(new URL("../../workers/generate.js", import.meta.url)),
  read: fileURLToPath(new URL("../../workers/read.js", import.meta.url)),
};

interface RuntimeEvents {
  /** A slot may have become free, and the queue has already used it if it could. */
  free: [];
  /** Workers can't be started any more. Emitted once. */
  down: [reason: string];
}

/** A model on this machine: its folder, plan and queue, and the threads that compile forms and generate. */
export class Runtime extends EventEmitter<RuntimeEvents> {
  readonly model: ModelFolder;
  readonly plan: Plan;
  readonly queue: Queue<Task, Outcome>;
  readonly forms: Forms;
  readonly texts: Texts;
  readonly #log: Log;
  readonly #contextStride: number;
  readonly #speculation: boolean;
  readonly #memory: MemoryGuard;
  #pool: Pool | null = null;
  #reruns: Reruns | null = null;
  #selfTest: SelfTestResult | null = null;
  readonly #closing = new AbortController();
  /** Removed with this runtime. */
  #temporary: TemporaryFolder | null = null;

  private constructor(
    model: ModelFolder,
    plan: Plan,
    memory: number,
    { config, callers, log, owns = false }: RuntimeOptions,
  ) {
    super();
    this.model = model;
    this.plan = plan;
    this.#log = log;
    this.#memory = new MemoryGuard({ budget: memory, log, workers: () => (owns ? this.#pool : null) });
    this.#contextStride = resolveStride(config, model);
    this.#speculation = config.speculation !== "off";
    this.forms = new Forms({ filename: entries.compile, modelDir: model.dir });
    const several = () => callers.several;
    this.texts = new Texts({ filename: entries.read, modelDir: model.dir, model, several });
    this.queue = new Queue<Task, Outcome>({
      ...queueBounds(config, plan, model, callers.keyed),
      slots: plan.concurrency,
      capacity: () => this.#pool?.capacity ?? 0,
      start: (task, caller) => this.#run({ ...task, caller }),
      refuses: () => (this.#memory.isLimited ? "memory_limited" : null),
      written: (outcome) => (outcome.type === "finished" ? outcome.completionTokens : null),
      timeouts: {
        queue: config.timeoutQueue || undefined,
        firstToken: config.timeoutFirstToken || undefined,
        stall: config.timeoutStall || undefined,
        total: config.timeoutTotal || undefined,
      },
    });
  }

  /**
   * Reads the model folder and makes the plan. Starts no thread.
   * @throws ModelError for the folder
   * @throws ConfigError for a setting that does not fit the model or the machine
   */
  static async open(options: RuntimeOptions): Promise<Runtime> {
    const { config } = options;
    const model = readModelFolder(config.model);
    const hardware = within(await probeHardware(), config.memoryBytes);
    const size = {
      precision: model.config.precision,
      modelBytes: model.modelBytes,
      cacheBytesPerSlot: cacheBytesPerSlot(model.config),
    };
    const plan = planDevices(hardware, config, size);
    const budget = config.memoryBytes === "auto" ? memoryBudget(hardware, plan, size) : config.memoryBytes;
    return new Runtime(model, plan, budget, options);
  }

  /** Result of the self-test on this machine; null until the model is loaded. */
  get selfTest(): SelfTestResult | null {
    return this.#selfTest;
  }

  /** How the workers and the memory are. */
  get vitals(): Vitals {
    const { loaded, stalled, failedStarts } = this.#pool?.workers ?? NO_WORKERS;
    const { deaths, reruns, failed } = this.#reruns?.counts ?? { deaths: 0, reruns: 0, failed: 0 };
    return {
      workers: { loaded, stalled, deaths, failed_starts: failedStarts },
      reruns: { tasks: reruns, failed },
      memory: this.#memory.read(),
    };
  }

  get workers(): Workers {
    return { states: this.#pool?.states ?? [], counts: this.#pool?.counts ?? null };
  }

  /**
   * Starts the workers; call it once. Resolves when all have loaded the model; rejects with the first one's error.
   * @param folder keeps a copy of the weights for the next start. Default: one that is gone when the runtime is closed
   */
  async load(folder?: string): Promise<void> {
    const { model, plan, queue } = this;
    const prepared = plan.device === "cpu" ? await this.#prepare(folder) : null;
    const pool = new Pool({
      filename: entries.generate,
      setup: {
        modelDir: model.dir,
        prepared,
        device: plan.device,
        deviceIds: plan.deviceIds,
        slots: plan.slotsPerWorker,
        keptPrefixes: keptPrefixes({ cacheBytesPerSlot: cacheBytesPerSlot(model.config) }),
        threads: plan.threads,
        threadsAlone: plan.threadsAlone,
        contextStride: this.#contextStride,
        speculation: this.#speculation,
      },
      context: model.config.n_positions,
      concurrency: plan.concurrency,
      heapMegabytes: heapMegabytes(model.config.vocab_size),
    });
    this.#pool = pool;
    this.#reruns = this.#rerunsOn(pool);
    pool.on("capacity", () => {
      queue.dispatch();
      this.emit("free");
    });
    pool.on("remark", (text) => this.#log.warn(text));
    pool.on("hung", (reason) => this.#log.error(`${reason}: it is ended`));
    pool.on("lost", () => this.#log.error("a worker died, and another starts"));
    pool.on("down", (reason) => {
      this.#log.error(`a worker cannot be replaced: ${reason}`);
      this.emit("down", reason);
    });
    this.#selfTest = await pool.ready;
    const { verdict, message } = this.#selfTest;
    this.#log[verdict === "passed" ? "info" : "warn"](message);
  }

  /**
   * Refuses new requests and finishes the admitted ones. Those that take too long are cancelled.
   * @param seconds time limit; default none
   */
  async drain(seconds?: number): Promise<void> {
    const { queue } = this;
    const drained = queue.drain();
    if (seconds === undefined) return drained;
    if (await settlesWithin(seconds * 1000, drained)) return;
    this.#log.warn(`${queue.waiting + queue.running} requests did not finish in time and are cancelled`);
    queue.clear();
    await settlesWithin(LAST_MS, drained);
  }

  /** Ends the threads, and with them all that they still run. */
  async close(): Promise<void> {
    this.#closing.abort(new Error("the model was closed while it was loaded"));
    this.#memory.close();
    await Promise.all([this.#pool?.close(), this.forms.close(), this.texts.close()]);
    this.#temporary?.remove();
  }

  /** Returns null, and says so, where workers must do with copies of their own. */
  async #prepare(folder: string | undefined): Promise<string | null> {
    const { signal } = this.#closing;
    try {
      if (folder === undefined) this.#temporary = new TemporaryFolder("jai-weights-");
      return await preparedGraph({ model: this.model, folder: folder ?? this.#temporary!.path, signal });
    } catch (error) {
      signal.throwIfAborted();
      this.#log.warn(`each worker has a copy of the weights of its own: ${(error as Error).message}`);
      return null;
    }
  }

  #rerunsOn(pool: Pool): Reruns {
    const reruns = new Reruns(pool);
    reruns.on("rerun", (tasks, reason) =>
      this.#log.warn(
        `the ${tasks === 1 ? "sequence" : `${tasks} sequences`} of a dead worker run again: ${reason}`,
      ),
    );
    reruns.on("failed", (id, reason) => this.#log.error(`${id} - given up: ${reason}`, { id }));
    return reruns;
  }

  #run(task: Task): RunningTask {
    if (this.#reruns === null) throw new Error("expected a task only while there is capacity");
    const run = this.#reruns.run(task);
    // Emit later, so that the queue can use the free slot first.
    const free = () => setImmediate(() => this.emit("free"));
    run.outcome.then(free, free);
    return run;
  }
}

function queueBounds(config: RuntimeConfig, { concurrency }: Plan, model: ModelFolder, keys: boolean) {
  const { queueLimit: limit, queueLimitCaller, queueTokens, maxPromptChars } = config;
  // The longest prompt alone must fit: a character has up to four bytes, and each may be a token.
  const whole = Math.max((concurrency + limit) * model.config.n_positions, 4 * maxPromptChars);
  return {
    limit,
    // With several callers, a single one must not fill the queue.
    limitOfCaller:
      queueLimitCaller === "auto" ? Math.ceil(limit / (keys ? 2 : 1)) : Math.min(queueLimitCaller, limit),
    promptTokens: queueTokens === "auto" ? whole : queueTokens,
  };
}

function resolveStride({ contextStride }: RuntimeConfig, { config: { n_positions: context } }: ModelFolder) {
  if (contextStride === "auto") return Math.max(1, Math.floor(context / 4));
  if (contextStride <= context) return contextStride;
  throw expectation(
    "JAI_CONTEXT_STRIDE",
    `auto or an integer from 1 to ${context}, the model's context`,
    String(contextStride),
  );
}

/** Logs the model and the plan. */
export function describe({ model: { config: model, dir }, plan }: Runtime, log: Log): void {
  log.info(
    `model ${model.name}: ${model.precision}, context ${model.n_positions}, vocabulary ${model.vocab_size}, from ${dir}`,
  );
  const { device, workers, concurrency, threads } = plan;
  log.info(`device ${device}, workers ${workers}, concurrency ${concurrency}, threads ${threads} each`);
  for (const reason of plan.reasons) log.info(reason);
}
