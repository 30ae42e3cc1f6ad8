import { once } from "node:events";
import { rmSync } from "node:fs";
import type { Server } from "node:http";
import { openCallers } from "../keys/key-source.js";
import type { Log } from "../log.js";
import type { Config } from "../settings/config.js";
import { type DataFolder, openDataFolder } from "../store/data-folder.js";
import { Assembly } from "./assembly.js";
import { listen } from "./listen.js";
import { describe, LAST_MS, Runtime } from "./runtime.js";
import { settlesWithin } from "./settles-within.js";

interface Parts {
  config: Config;
  log: Log;
  runtime: Runtime;
  data: DataFolder;
  assembly: Assembly;
  /** Ends what follows files. */
  following: AbortController;
}

/**
 * The composition root: a model behind HTTP, from settings to sockets. `open`, `listen`, `close`; it never ends the
 * process, and handles no signals.
 */
export class JaiServer {
  /** Resolves when the server is closed. Rejects when it had to close because no worker can be had any more. */
  readonly closed: Promise<void>;
  readonly #parts: Parts;
  readonly #http: Server;
  #settleClosed!: (failure: Error | null) => void;
  #ready: Promise<void> | null = null;
  #ending = false;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.closed = new Promise((resolve, reject) => {
      this.#settleClosed = (failure) => (failure === null ? resolve() : reject(failure));
    });
    // Nobody is obliged to await it.
    this.closed.catch(() => {});
    const { queue } = parts.runtime;
    this.#http = parts.assembly.createHttpServer();
    // Longer than the idle time of the usual proxies, so that it is never this end that hangs up on a request under way.
    this.#http.keepAliveTimeout = 75_000;
    this.#http.prependListener("request", (_req, res) => {
      // A connection that is kept would be waited for.
      if (queue.state === "draining") res.shouldKeepAlive = false;
    });
  }

  /**
   * Reads the keys and the model folder, makes the plan, opens the data folder. Starts no thread and no socket.
   * @throws an error whose one line says what is wrong
   */
  static async open(config: Config, log: Log): Promise<JaiServer> {
    const following = new AbortController();
    try {
      const callers = await openCallers(config, log, following.signal);
      const runtime = await Runtime.open({ config, keyed: callers.keyed, log });
      const data = await openDataFolder(config, log);
      const { model, plan, queue, forms } = runtime;
      const selfTest = () => runtime.selfTest;
      const base = { config, dataDir: data.path, model, plan, selfTest, queue, forms, callers, log };
      const assembly = await Assembly.open(base);
      runtime.on("free", () => assembly.dispatch());
      return new JaiServer({ config, log, runtime, data, assembly, following });
    } catch (error) {
      following.abort();
      throw error;
    }
  }

  /** How many requests wait or run. */
  get requests(): number {
    const { queue } = this.#parts.runtime;
    return queue.waiting + queue.running;
  }

  /** Resolves when the model is loaded; rejects with the reason if it can't be, and then the server is to be closed. */
  get ready(): Promise<void> {
    if (this.#ready === null) throw new Error("expected a server that listens");
    return this.#ready;
  }

  /**
   * Resolves to the server's address as soon as it listens; the model loads meanwhile.
   * @throws an error whose one line says why it can't listen there; the server is closed then
   */
  async listen(): Promise<string> {
    const { config, runtime, log } = this.#parts;
    if (this.#ready !== null || this.#ending) throw new Error("expected a server that was just opened");
    let url: string;
    try {
      url = await listen(this.#http, config);
    } catch (error) {
      this.#ending = true;
      await this.#release();
      this.#settleClosed(null);
      throw error;
    }
    log.info(`listening on ${url} (docs at ${url}/docs)`);
    describe(runtime, log);
    this.#ready = this.#load();
    // Nobody is obliged to await it.
    this.#ready.catch(() => {});
    return url;
  }

  /**
   * Admits nothing more, finishes what is admitted, cancels what is not finished in time, and closes. Called again, it
   * resolves with the first call.
   * @param drainSeconds how long to wait for what is admitted; by default the setting
   */
  close({ drainSeconds = this.#parts.config.drainSeconds } = {}): Promise<void> {
    void this.#end(drainSeconds, null);
    return this.closed;
  }

  async #load(): Promise<void> {
    const { runtime, assembly, log } = this.#parts;
    const startedAt = performance.now();
    // The model loads in threads of its own meanwhile.
    const loaded = runtime.load();
    const app = assembly.loadApp();
    // In the turn in which the server began to listen: no request can have come.
    this.#http.on("request", (req, res) => void app.then((answer) => answer(req, res)));
    runtime.on("down", (reason) => void this.#end(0, new Error(`a worker cannot be replaced: ${reason}`)));
    await Promise.all([loaded, app]);
    runtime.queue.open();
    assembly.dispatch();
    log.info(`ready: the model was loaded in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  }

  async #end(seconds: number, failure: Error | null): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    const { runtime, log } = this.#parts;
    // Until then the server listens, so that clients are told 503 and not left with a refused connection.
    await runtime.drain(seconds);
    if (this.#http.listening) {
      const closed = once(this.#http, "close");
      this.#http.close();
      if (!(await settlesWithin(LAST_MS, closed))) this.#http.closeAllConnections();
    }
    await this.#release();
    log.info("stopped");
    this.#settleClosed(failure);
  }

  async #release(): Promise<void> {
    const { runtime, data, assembly, following, log } = this.#parts;
    following.abort();
    await settlesWithin(LAST_MS, runtime.close());
    await settlesWithin(LAST_MS, assembly.close());
    if (!data.temporary) return;
    if (assembly.parts.jobs.all().next().done) rmSync(data.path, { recursive: true, force: true });
    else log.warn(`jobs are left in ${data.path}; JAI_DATA_DIR=${data.path} serves them`);
  }
}
