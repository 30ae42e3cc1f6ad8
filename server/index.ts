import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, isIPv6 } from "node:net";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import { cacheBytesPerSlot, type ModelFolder, readModelFolder } from "../models/folder.js";
import { type Config, describeSettings, expectation, readConfig } from "./config.js";
import { probeHardware } from "./hardware.js";
import { readDocument } from "./http/document.js";
import { toHttpError } from "./http/error-handler.js";
import { answerProtocolErrors } from "./http/protocol-errors.js";
import { Background } from "./jobs/background.js";
import { openCallers } from "./keys/key-source.js";
import { createLog, type Log } from "./log.js";
import { isNpmScript } from "./npm.js";
import { generatingOperations } from "./operations/index.js";
import { type Plan, planDevices } from "./plan.js";
import { type Outcome, Pool, type Task } from "./pool.js";
import { Queue } from "./queue/queue.js";
import { handleSignals } from "./signals.js";

export const usage = `Usage: jai serve [FLAGS]\n\n${describeSettings()}`;

/** How long a stop waits for what should take no time: a worker's next step, the last bytes to a client. */
const LAST_MS = 2000;
/** A signal that npm repeats comes within this time. */
const ECHO_MS = 500;

/** Serves until a signal ends it. @throws an error whose one line says why it can't start */
export async function run(args: string[]): Promise<void> {
  const config = readConfig(args, process.env);
  const log = createLog(config);
  // A log whose reader has gone is no reason to end.
  process.stdout.on("error", () => {});
  const callers = await openCallers(config, log);
  const model = readModelFolder(config.model);
  const contextStride = resolveStride(config, model);
  const plan = planDevices(await probeHardware(), config, {
    precision: model.config.precision,
    modelBytes: model.modelBytes,
    cacheBytesPerSlot: cacheBytesPerSlot(model.config),
  });

  let pool: Pool | null = null;
  const queue = new Queue<Task, Outcome>({
    ...queueBounds(config, plan, model, callers.keyed),
    slots: plan.concurrency,
    capacity: () => pool?.capacity ?? 0,
    start: (task) => {
      const run = pool!.run(task);
      // The queue hears of a free slot first.
      const dispatch = () => setImmediate(() => background.dispatch());
      run.outcome.then(dispatch, dispatch);
      return run;
    },
    written: (outcome) => (outcome.type === "finished" ? outcome.completionTokens : null),
    timeouts: {
      queue: config.timeoutQueue || undefined,
      firstToken: config.timeoutFirstToken || undefined,
      stall: config.timeoutStall || undefined,
      total: config.timeoutTotal || undefined,
    },
  });
  const operations = generatingOperations(model, config);
  const background = await Background.open({
    config,
    operations,
    queue,
    callers,
    describe: toHttpError,
    log,
  });
  const server = createServer();
  answerProtocolErrors(server);
  // Longer than the idle time of the usual proxies, so that it is never this end that hangs up on a request under way.
  server.keepAliveTimeout = 75_000;
  server.prependListener("request", (_req, res) => {
    // A connection that is kept would be waited for.
    if (queue.state === "draining") res.shouldKeepAlive = false;
  });
  log.info(`listening on ${await listen(server, config)}`);
  describe(model, plan, log);

  pool = new Pool({
    filename: fileURLToPath(new URL("../workers/generate.js", import.meta.url)),
    setup: {
      modelDir: model.dir,
      device: plan.device,
      deviceIds: plan.deviceIds,
      slots: plan.slotsPerWorker,
      threads: plan.threads,
      contextStride,
    },
  });
  // The routes take as long to load as the model, which loads in its own thread meanwhile.
  const app = import("./app.js").then(({ createApp }) => {
    const document = readDocument(config);
    const selfTest = () => pool?.selfTest ?? null;
    return createApp({
      config,
      document,
      model,
      operations,
      plan,
      selfTest,
      queue,
      callers,
      background,
      log,
    });
  });
  // In the turn in which the server began to listen: no request can have come.
  server.on("request", (req, res) => void app.then((answer) => answer(req, res)));
  const end = stopper({ server, queue, pool, background, log });
  stopOnSignals(config, queue, log, end);
  pool.on("capacity", () => {
    queue.dispatch();
    background.dispatch();
  });
  pool.on("lost", () => log.error("a worker died; its requests failed, and another starts"));
  pool.on("down", (reason) => {
    log.error(`a worker cannot be replaced: ${reason}`);
    void end({ seconds: 0, status: 1 });
  });
  const startedAt = performance.now();
  await Promise.all([pool.ready, app]);
  queue.open();
  background.dispatch();
  const { verdict, message } = pool.selfTest!;
  log[verdict === "passed" ? "info" : "warn"](message);
  log.info(`ready: the model was loaded in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
}

function queueBounds(config: Config, { concurrency }: Plan, model: ModelFolder, keys: boolean) {
  const { queueLimit: limit, queueLimitCaller, queueTokens, maxPromptChars } = config;
  // The longest prompt has to fit by itself, though a character may be a token for each of its four bytes.
  const whole = Math.max((concurrency + limit) * model.config.n_positions, 4 * maxPromptChars);
  return {
    limit,
    // Where there are several callers, one alone must not fill the queue.
    limitOfCaller:
      queueLimitCaller === "auto" ? Math.ceil(limit / (keys ? 2 : 1)) : Math.min(queueLimitCaller, limit),
    promptTokens: queueTokens === "auto" ? whole : queueTokens,
  };
}

function resolveStride({ contextStride }: Config, { config: { n_positions: context } }: ModelFolder): number {
  if (contextStride === "auto") return Math.max(1, Math.floor(context / 4));
  if (contextStride <= context) return contextStride;
  throw expectation(
    "JAI_CONTEXT_STRIDE",
    `auto or an integer from 1 to ${context}, the model's context`,
    String(contextStride),
  );
}

/** Resolves to the server's address. @throws an error whose one line says why it can't listen there */
async function listen(server: Server, { host, port }: Config): Promise<string> {
  const name = (at: number) => `${isIPv6(host) ? `[${host}]` : host}:${at}`;
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reasons: Record<string, string> = {
      EADDRINUSE: "the port is taken; JAI_PORT or --port names another",
      EACCES: "not permitted; ports below 1024 usually aren't",
      EADDRNOTAVAIL: "this machine has no such address",
      ENOTFOUND: "there is no such host",
    };
    throw new Error(`cannot listen on ${name(port)}: ${reasons[code ?? ""] ?? (error as Error).message}`);
  }
  return `http://${name((server.address() as AddressInfo).port)}`;
}

function describe({ config: model, dir }: ModelFolder, plan: Plan, log: Log): void {
  log.info(
    `model ${model.name}: ${model.precision}, context ${model.n_positions}, vocabulary ${model.vocab_size}, from ${dir}`,
  );
  const { device, workers, concurrency, threads } = plan;
  log.info(`device ${device}, workers ${workers}, concurrency ${concurrency}, threads ${threads} each`);
  for (const reason of plan.reasons) log.info(reason);
}

interface Running {
  server: Server;
  queue: Queue<Task, Outcome>;
  pool: Pool;
  background: Background;
  log: Log;
}

type End = (how: { seconds: number; status: number }) => Promise<void>;

/** A function that finishes what is admitted, within so many seconds, and ends the process. */
function stopper({ server, queue, pool, background, log }: Running): End {
  let ending = false;
  return async ({ seconds, status }) => {
    if (ending) return;
    ending = true;
    const drained = queue.drain();
    // Until then the server listens, so that clients are told 503 and not left with a refused connection.
    if (!(await within(seconds * 1000, drained))) {
      log.warn(`${queue.waiting + queue.running} requests are not finished in time, and are cancelled`);
      queue.clear();
      await within(LAST_MS, drained);
    }
    const closed = once(server, "close");
    server.close();
    if (!(await within(LAST_MS, closed))) server.closeAllConnections();
    await within(LAST_MS, pool.close());
    await within(LAST_MS, background.close());
    log.info("stopped");
    process.exit(status);
  };
}

function stopOnSignals({ drainSeconds }: Config, queue: Queue<Task, Outcome>, log: Log, end: End): void {
  let firstAt: number | null = null;
  handleSignals((signal) => {
    if (firstAt !== null) {
      // npm hands on the Ctrl-C that the terminal has sent here already.
      if (!isNpmScript || performance.now() - firstAt > ECHO_MS)
        process.exit(128 + constants.signals[signal]);
      return;
    }
    firstAt = performance.now();
    const requests = queue.waiting + queue.running;
    log.info(`stopping on ${signal}: finishing ${requests} requests, for up to ${drainSeconds} s`);
    void end({ seconds: drainSeconds, status: 0 });
  });
}

/** Whether a promise settles within so many milliseconds. */
async function within(ms: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, ms, false);
  });
  const settled = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return settled;
}
