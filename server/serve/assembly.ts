import { createServer, type RequestListener, type Server, type ServerOptions } from "node:http";
import { type Document, readDocument } from "../http/document.js";
import { fitExamples } from "../http/examples.js";
import { answerHalfClosed } from "../http/half-close.js";
import { closeLingering } from "../http/lingering-close.js";
import { toOriginForm } from "../http/origin-form.js";
import { boundPipelines } from "../http/pipelines.js";
import { answerProtocolErrors } from "../http/protocol-errors.js";
import { summarizeRefusals } from "../http/summarize.js";
import { Idempotency } from "../idempotency/idempotency.js";
import { Dispatcher } from "../jobs/dispatcher.js";
import type { Job } from "../jobs/job.js";
import { JobDocuments } from "../jobs/job-documents.js";
import { JobStandings } from "../jobs/job-standings.js";
import { Jobs } from "../jobs/jobs.js";
import { callerOf } from "../keys/authenticate.js";
import { UsageRecords } from "../keys/usage-records.js";
import { Live } from "../live/live.js";
import type { Metrics } from "../metrics/metrics.js";
import { generatingOperations } from "../requests/index.js";
import { statusOf } from "../routes/health.js";
import { readSecrets } from "../settings/webhook-secrets.js";
import { Space } from "../store/space.js";
import { Store } from "../store/store.js";
import { Telemetry } from "../telemetry/telemetry.js";
import { callbackSender } from "../webhooks/callback-request.js";
import { Callbacks } from "../webhooks/callbacks.js";
import type { AssemblyBase, AssemblyParts } from "./parts.js";

/** Idle connections cost about 16 KB each. */
const MOST_CONNECTIONS = 10_000;
/** Each text is stored twice, and the file's own structure takes some of its bytes. */
const SHARE_OF_TEXTS = 0.4;
/** Longest interval between two sweeps, each of which deletes expired records. */
const LONGEST_SWEEP_MS = 60_000;

/**
 * Wires everything between the sockets and the workers, for `jai serve`, the library, and the tests, which pass a queue
 * without workers.
 */
export class Assembly {
  readonly parts: AssemblyParts;
  readonly #sweeping: NodeJS.Timeout;
  /** The app of the metrics' own port. */
  readonly #metricsApp = withResolvers<RequestListener>();

  private constructor(parts: AssemblyParts) {
    this.parts = parts;
    const { config, jobs, idempotency, log } = parts;
    this.#metricsApp.promise.catch(() => {});
    const sweep = () => {
      for (const swept of [jobs.sweep(), idempotency.sweep()])
        swept.catch((error: Error) => log.error(`expired records cannot be removed: ${error.message}`));
    };
    sweep();
    this.#sweeping = setInterval(sweep, Math.min(config.jobTtl * 500, LONGEST_SWEEP_MS)).unref();
  }

  /** Opens the data folder. @throws StoreError */
  static async open(base: AssemblyBase): Promise<Assembly> {
    const { config, dataDir, model, queue, forms, texts, callers, telemetry, log } = base;
    const operations = generatingOperations(model, config);
    const store = await Store.open(dataDir, { maxBytes: config.dataBytes, log });
    try {
      const ttlMs = config.jobTtl * 1000;
      const several = () => callers.several;
      const space = new Space(config.dataBytes * SHARE_OF_TEXTS, several);
      const jobs = await Jobs.open({ store, space, limit: config.jobLimit, several, ttlMs, log });
      const caller = (res: Parameters<typeof callerOf>[0]) => callerOf(res).name;
      const idempotency = await Idempotency.open({ store, space, ttlMs, callerOf: caller, log });
      const dispatcher = new Dispatcher({ jobs, operations, queue, forms, texts, callers, telemetry, log });
      const standings = new JobStandings(jobs.line, queue);
      const documents = new JobDocuments({ jobs, standings });
      const secrets = readSecrets(config.callbackSecret);
      const addresses = config.callbackPrivate;
      let callbacks: Callbacks | null = null;
      if (secrets !== null) {
        const send = callbackSender({ addresses });
        const document = (job: Job) => documents.forCallback(job);
        callbacks = new Callbacks({ jobs, secrets, document, send, log, now: store.now, wall: Date.now });
      }
      const usage = await UsageRecords.open({ store, space, callers, log });
      const callbackAddresses = secrets && addresses;
      const made = {
        live: new Live(base),
        jobCounts: countJobs(jobs, dispatcher),
        operations,
        store,
        space,
        usage,
        jobs,
        standings,
        dispatcher,
        documents,
        callbacks,
        idempotency,
        callbackAddresses,
      };
      return new Assembly({ ...base, ...made });
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** Loads the routes, which takes as long as loading a small model. Until then requests wait. */
  loadApp(): { answer: RequestListener; loaded: Promise<unknown> } {
    let app: RequestListener | null = null;
    const loaded = this.#createApp().then((created) => {
      app = created;
    });
    // `loaded` tells why. Whoever waits for the metrics must not wait for ever.
    loaded.catch((error: Error) => this.#metricsApp.reject(error));
    // Once the app is loaded, call it without a promise: pipelines can be bounded only while Node still parses them.
    const answer = boundPipelines((req, res) =>
      app
        ? app(req, res)
        : void loaded.then(
            () => app!(req, res),
            () => res.destroy(),
          ),
    );
    return { answer, loaded };
  }

  /**
   * An HTTP server without a request handler. It answers invalid HTTP with the API's own errors.
   * @param telemetry is told of them
   */
  createHttpServer(options: ServerOptions = {}, telemetry = this.parts.telemetry): Server {
    // `requireOneHost` refuses a request without a Host header, in the API's own form.
    const server = createServer({ requireHostHeader: false, ...options });
    server.maxConnections = MOST_CONNECTIONS;
    closeLingering(server);
    toOriginForm(server);
    answerProtocolErrors(server, summarizeRefusals(telemetry, this.parts.log));
    answerHalfClosed(server);
    return server;
  }

  /** An HTTP server of `/metrics` alone. Until the app is loaded requests wait. */
  createMetricsServer(): Server {
    // Scrapes of this port are not what the metrics tell of.
    return this.createHttpServer({}, new Telemetry()).on("request", (req, res) => {
      void this.#metricsApp.promise.then(
        (app) => app(req, res),
        () => res.destroy(),
      );
    });
  }

  async #createApp(): Promise<RequestListener> {
    const { createApp } = await import("./app.js");
    const { config, model, document = readDocument(config) } = this.parts;
    fitExamples(document, model);
    const metrics = await this.#createMetrics(document);
    return createApp({ ...this.parts, document, metrics: config.metrics === "off" ? null : metrics });
  }

  /** Resolves to null if nobody may read metrics. Then nothing is counted. */
  async #createMetrics(document: Document): Promise<Metrics | null> {
    const { config, callers } = this.parts;
    if (config.metrics === "off" && config.metricsPort === "none") return null;
    const { Metrics } = await import("../metrics/metrics.js");
    const metrics = new Metrics(
      {
        ...this.parts,
        version: document.info.version,
        health: () => statusOf(this.parts, this.parts.vitals()),
        keyed: () => callers.keyed,
      },
      config.metricsNames,
    );
    const { createMetricsApp } = await import("./metrics-app.js");
    this.#metricsApp.resolve(createMetricsApp(this.parts, metrics, document));
    return metrics;
  }

  /** Starts waiting jobs. Call it whenever a slot may have become free. */
  dispatch(): void {
    this.parts.dispatcher.dispatch();
  }

  /** Closes the data folder. Unfinished jobs run again when it is opened the next time. */
  async close(): Promise<void> {
    clearInterval(this.#sweeping);
    this.parts.live.close();
    await this.parts.usage.close();
    await this.parts.store.close();
  }
}

function countJobs(jobs: Jobs, dispatcher: Dispatcher): AssemblyParts["jobCounts"] {
  const ended = { done: 0, failed: 0, cancelled: 0 };
  jobs.onEnd(({ state }) => {
    if (state in ended) ended[state as keyof typeof ended]++;
  });
  return () => ({ waiting: jobs.line.size, running: dispatcher.running, ...ended });
}

/** Promise.withResolvers needs Node.js 22. */
function withResolvers<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
