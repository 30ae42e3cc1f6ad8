import { once } from "node:events";
import { rmSync } from "node:fs";
import type { Server } from "node:http";
import { join } from "node:path";
import { openCallers } from "../keys/key-source.js";
import type { Log } from "../log.js";
import { obstacleOf } from "../routes/health.js";
import { type Config, expectation } from "../settings/config.js";
import { settlesWithin } from "../settles-within.js";
import { type DataFolder, openDataFolder } from "../store/data-folder.js";
import { FolderInUse } from "../store/store-error.js";
import { Telemetry } from "../telemetry/telemetry.js";
import { openTracing, type Tracing } from "../tracing/tracing.js";
import { Assembly } from "./assembly.js";
import { listen } from "./listen.js";
import type { ParentLink } from "./parent-link.js";
import { describe, LAST_MS, Runtime } from "./runtime.js";

interface Parts {
  config: Config;
  log: Log;
  runtime: Runtime;
  data: DataFolder;
  assembly: Assembly;
  tracing: Tracing | null;
  /** Stops following the key file. */
  following: AbortController;
}

async function closeServer(server: Server | null): Promise<void> {
  if (server === null || !server.listening) return;
  const closed = once(server, "close");
  server.close();
  if (!(await settlesWithin(LAST_MS, closed))) server.closeAllConnections();
}

/** The data folder of a port is in use. Most likely the port is, too. */
const portInUse = (port: number, folder: string) =>
  new Error(
    `port ${port} is another server's, which keeps jobs in ${folder}; JAI_PORT or --port names another port`,
  );

/**
 * The composition root: wires settings, parts and sockets. Call `open`, `listen`, `close`. It never ends the process
 * and handles no signals.
 */
export class JaiServer {
  /** Resolves when the server is closed. Rejects if it had to close because its workers can't be started any more. */
  readonly closed: Promise<void>;
  readonly #parts: Parts;
  readonly #http: Server;
  /** Of the metrics; null if they have no port of their own. */
  readonly #metrics: Server | null;
  #settleClosed!: (failure: Error | null) => void;
  #ready: Promise<void> | null = null;
  #ending = false;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.closed = new Promise((resolve, reject) => {
      this.#settleClosed = (failure) => (failure === null ? resolve() : reject(failure));
    });
    // Nobody has to await it: an unhandled rejection must not end the process.
    this.closed.catch(() => {});
    const { queue } = parts.runtime;
    this.#http = parts.assembly.createHttpServer();
    this.#metrics = parts.config.metricsPort === "none" ? null : parts.assembly.createMetricsServer();
    // Longer than usual proxies keep idle connections, so that the proxy closes first: if this end did, a request just
    // being sent would be lost.
    this.#http.keepAliveTimeout = 75_000;
    this.#http.prependListener("request", (_req, res) => {
      // A stop waits for open connections, so don't keep this one alive.
      if (queue.state === "draining") res.shouldKeepAlive = false;
    });
  }

  /**
   * Reads the keys and the model folder, makes the plan, opens the data folder. Starts no thread and no socket.
   * @param startedAt for the uptime, by `performance.now()`. Default: now
   * @throws an error with a one-line message
   */
  static async open(config: Config, log: Log, startedAt = performance.now()): Promise<JaiServer> {
    if (config.metricsPort !== 0 && config.metricsPort === config.port)
      throw expectation(
        "JAI_METRICS_PORT",
        "none, or another port than JAI_PORT",
        String(config.metricsPort),
      );
    const following = new AbortController();
    try {
      const callers = await openCallers(config, log, following.signal);
      const runtime = await Runtime.open({ config, callers, log, owns: true });
      const data = await openDataFolder(config, log);
      const { model, plan, queue, forms, texts } = runtime;
      const selfTest = () => runtime.selfTest;
      const vitals = () => runtime.vitals;
      const threads = { queue, forms, texts };
      const known = { startedAt, selfTest, vitals, workers: () => runtime.workers };
      const telemetry = new Telemetry();
      const tracing = await openTracing({ telemetry, model: model.config.name, log });
      const base = { config, dataDir: data.path, model, plan, ...known, ...threads, callers, telemetry, log };
      const assembly = await Assembly.open(base);
      runtime.on("free", () => assembly.dispatch());
      return new JaiServer({ config, log, runtime, data, assembly, tracing, following });
    } catch (error) {
      following.abort();
      const isOfPort = error instanceof FolderInUse && config.dataDir === "auto";
      throw isOfPort ? portInUse(config.port, error.folder) : error;
    }
  }

  /** Number of sequences that wait or run; a request with `n: 3` has three. */
  get requests(): number {
    const { queue } = this.#parts.runtime;
    return queue.waiting + queue.running;
  }

  /** Whether it can generate, or finishes its requests; false while the model loads, or no worker gets on. */
  get isWell(): boolean {
    const { queue, vitals } = this.#parts.runtime;
    const obstacle = obstacleOf(queue, vitals);
    return obstacle === null || obstacle === "shutting_down" || obstacle === "memory_limited";
  }

  /** Resolves when the model is loaded; rejects if it can't be loaded, and the caller must then close the server. */
  get ready(): Promise<void> {
    if (this.#ready === null) throw new Error("expected a server that listens");
    return this.#ready;
  }

  /**
   * Resolves to the server's URL as soon as it listens; the model may still load.
   * @param parent the process that watches over this one, if any
   * @throws an error with a one-line message if it can't listen; the server is then closed
   */
  async listen(parent: ParentLink | null = null): Promise<string> {
    const { config, runtime, log } = this.#parts;
    if (this.#ready !== null || this.#ending) throw new Error("expected a server that was just opened");
    let url: string;
    let metricsUrl: string | null;
    try {
      // First: once the main port listens, a failure would be late.
      metricsUrl = await this.#listenForScrapes();
      url = await listen(this.#http, config, "JAI_PORT or --port", parent);
    } catch (error) {
      this.#ending = true;
      this.#metrics?.close();
      await this.#release();
      this.#settleClosed(null);
      throw error;
    }
    log.info(`listening on ${url} (docs at ${url}/docs)`);
    if (metricsUrl !== null) log.info(`metrics on ${metricsUrl} for whoever reaches that port`);
    describe(runtime, log);
    this.#ready = this.#load();
    // Nobody has to await it: an unhandled rejection must not end the process.
    this.#ready.catch(() => {});
    return url;
  }

  /**
   * Refuses new requests, finishes the admitted ones, cancels those that take too long, and closes. A second call
   * resolves together with the first.
   * @param drainSeconds how long to wait for admitted requests. Default: the setting
   */
  close({ drainSeconds = this.#parts.config.drainSeconds } = {}): Promise<void> {
    void this.#end(drainSeconds, null);
    return this.closed;
  }

  /** Resolves to the URL of the metrics' own port, or to null if they have none. */
  async #listenForScrapes(): Promise<string | null> {
    const { host, metricsPort: port } = this.#parts.config;
    if (this.#metrics === null || port === "none") return null;
    const url = await listen(this.#metrics, { host, port }, "JAI_METRICS_PORT or --metrics-port");
    return `${url}/metrics`;
  }

  async #load(): Promise<void> {
    const { runtime, data, assembly, log } = this.#parts;
    const startedAt = performance.now();
    // The model loads in other threads while this one loads the app.
    const loaded = runtime.load(join(data.path, "weights"));
    const app = assembly.loadApp();
    // Still in the turn of the event loop in which the server began to listen, so no request can have been missed.
    this.#http.on("request", app.answer);
    runtime.on("down", (reason) => void this.#end(0, new Error(`a worker cannot be replaced: ${reason}`)));
    await Promise.all([loaded, app.loaded]);
    runtime.queue.open();
    assembly.dispatch();
    log.info(`ready: the model was loaded in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  }

  async #end(seconds: number, failure: Error | null): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    const { runtime, log } = this.#parts;
    // The server still listens while it drains, so that new clients get 503, not a refused connection.
    await runtime.drain(seconds);
    this.#parts.assembly.parts.live.close();
    await Promise.all([this.#http, this.#metrics].map(closeServer));
    await this.#release();
    log.info("stopped");
    this.#settleClosed(failure);
  }

  async #release(): Promise<void> {
    const { runtime, data, assembly, tracing, following, log } = this.#parts;
    following.abort();
    // No request is left, so the last spans are sent meanwhile.
    const sent = tracing?.close();
    await settlesWithin(LAST_MS, runtime.close());
    await settlesWithin(LAST_MS, assembly.close());
    await sent;
    if (!data.temporary) return;
    if (assembly.parts.jobs.all().next().done) rmSync(data.path, { recursive: true, force: true });
    else log.warn(`jobs are left in ${data.path}; JAI_DATA_DIR=${data.path} serves them`);
  }
}
