import { Idempotency } from "../idempotency/idempotency.js";
import { callerOf } from "../keys/authenticate.js";
import type { Callers } from "../keys/callers.js";
import type { Log } from "../log.js";
import type { Outcome, Task } from "../pool/pool.js";
import type { Queue } from "../queue/queue.js";
import type { Operation } from "../requests/operation.js";
import type { Config } from "../settings/config.js";
import { Space } from "../store/space.js";
import { Store } from "../store/store.js";
import { callbackSender, type PrivateAddresses } from "../webhooks/callback-request.js";
import { Callbacks } from "../webhooks/callbacks.js";
import { readSecrets } from "../webhooks/signature.js";
import { Dispatcher } from "./dispatcher.js";
import { JobDocuments } from "./job-documents.js";
import { Jobs } from "./jobs.js";

export type BackgroundConfig = Pick<
  Config,
  "dataDir" | "dataBytes" | "jobLimit" | "jobTtl" | "callbackSecret" | "callbackPrivate"
>;

export interface BackgroundOptions {
  config: BackgroundConfig;
  operations: readonly Operation[];
  queue: Queue<Task, Outcome>;
  callers: Pick<Callers, "named">;
  log: Log;
}

/** What has expired is gone from the disk after this time, at the latest. */
const LONGEST_SWEEP_MS = 60_000;

/** Everything that outlives a request: jobs, their callbacks, and answers to requests that may come again. */
export class Background {
  readonly operations: readonly Operation[];
  readonly jobs: Jobs;
  readonly documents: JobDocuments;
  readonly idempotency: Idempotency;
  /** Where callbacks may go; null: nowhere, for want of a secret. */
  readonly callbacks: { addresses: PrivateAddresses } | null;
  readonly #store: Store;
  readonly #dispatcher: Dispatcher;
  readonly #sweeping: NodeJS.Timeout;

  private constructor(store: Store, jobs: Jobs, idempotency: Idempotency, options: BackgroundOptions) {
    const { config, operations, log } = options;
    this.#store = store;
    this.operations = operations;
    this.jobs = jobs;
    this.idempotency = idempotency;
    this.#dispatcher = new Dispatcher({ ...options, jobs });
    this.documents = new JobDocuments({
      jobs,
      expectedWait: (position) => this.#dispatcher.expectedWait(position),
    });
    const secrets = readSecrets(config.callbackSecret);
    const addresses = config.callbackPrivate;
    this.callbacks = secrets && { addresses };
    if (secrets !== null) {
      const document = this.documents.forCallback.bind(this.documents);
      new Callbacks({ jobs, secrets, document, send: callbackSender({ addresses }), log });
    }
    const sweep = () => {
      for (const swept of [jobs.sweep(), idempotency.sweep()])
        swept.catch((error: Error) => log.error(`what has expired cannot be removed: ${error.message}`));
    };
    sweep();
    this.#sweeping = setInterval(sweep, Math.min(config.jobTtl * 500, LONGEST_SWEEP_MS)).unref();
  }

  /** Opens the data folder. @throws StoreError */
  static async open(options: BackgroundOptions): Promise<Background> {
    const { config, log } = options;
    const store = await Store.open(config.dataDir);
    try {
      const ttlMs = config.jobTtl * 1000;
      const space = new Space(config.dataBytes);
      const jobs = await Jobs.open({ store, space, limit: config.jobLimit, ttlMs, log });
      const idempotency = await Idempotency.open({
        store,
        space,
        ttlMs,
        callerOf: (res) => callerOf(res).name,
        log,
      });
      return new Background(store, jobs, idempotency, options);
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** Starts jobs that wait; to be called whenever a slot may have become free. */
  dispatch(): void {
    this.#dispatcher.dispatch();
  }

  /** Until the next job that came now would start, in whole seconds. */
  retryAfter(): number {
    return Math.max(Math.ceil(this.#dispatcher.expectedWait(1) ?? 1), 1);
  }

  cancel(...[job]: Parameters<Dispatcher["cancel"]>): Promise<void> {
    return this.#dispatcher.cancel(job);
  }

  /** Closes the data folder. What still runs runs again when it is opened the next time. */
  async close(): Promise<void> {
    clearInterval(this.#sweeping);
    await this.#store.close();
  }
}
