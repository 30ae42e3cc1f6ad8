import { Counter, Gauge, type Registry } from "prom-client";
import type { ModelConfig } from "../../models/config.js";
import { cacheBytesPerSlot } from "../../models/folder.js";
import type { Live, Workers } from "../live/live.js";
import type { Plan } from "../plan/plan.js";
import type { Queue } from "../queue/queue.js";
import { fairness } from "./fairness.js";

const WORKER_STATES = ["loading", "idle", "busy", "stalled"] as const;
const SLOT_STATES = ["idle", "prefill", "decode"] as const;
/** `status` of GET /health. */
const HEALTHS = ["healthy", "degraded", "loading", "draining", "unhealthy"] as const;

export interface StateMetricsParts {
  version: string;
  model: { config: ModelConfig };
  plan: Pick<Plan, "device" | "workers" | "concurrency" | "threads">;
  queue: Pick<Queue<unknown, unknown>, "limit" | "byCaller" | "missed">;
  workers: () => Workers;
  live: Pick<Live, "rows" | "requests">;
  /** `status` of GET /health. */
  health: () => string;
  vitals: () => {
    workers: { deaths: number; failed_starts: number };
    reruns: { tasks: number; failed: number };
    memory: { budget: number; limited: boolean; replaced_workers: number };
  };
  jobCounts: () => { waiting: number; running: number; done: number; failed: number; cancelled: number };
  /** Null if there are no callbacks. */
  callbacks: { counts: { delivered: number; retried: number; failed: number; pending: number } } | null;
  store: { isWritable: boolean };
  space: { used: number; limit: number };
}

/** Values by their label; one alone has the label `""`. */
type Values = Readonly<Record<string, number>>;

/** What the server is and does now. Everything is read when it is scraped. */
export class StateMetrics {
  readonly #registry: Registry;

  constructor(registry: Registry, parts: StateMetricsParts) {
    this.#registry = registry;
    this.#addInfo(parts);
    this.#addQueue(parts);
    this.#addWorkers(parts);
    this.#addJobs(parts);
    this.#addStores(parts);
  }

  #addInfo({ version, model, plan, health, live }: StateMetricsParts): void {
    const { name, precision, n_positions, vocab_size } = model.config;
    this.#info("jai_build_info", "The server's version", { version });
    this.#info("jai_model_info", "The model, and how it runs", {
      model_name: name,
      precision,
      context: String(n_positions),
      vocabulary: String(vocab_size),
      device: plan.device,
      workers: String(plan.workers),
      threads: String(plan.threads),
    });
    this.#gauge("jai_health_status", "1 for the status that GET /health tells", "status", () => {
      const now = health();
      return Object.fromEntries(HEALTHS.map((status) => [status, Number(status === now)]));
    });
    this.#counter(
      "jai_requests_total",
      "Generating requests and jobs that have ended, by ending: ok, refused, failed or cancelled",
      "ending",
      () => ({ ...live.requests }),
    );
  }

  #addQueue({ queue }: StateMetricsParts): void {
    this.#gauge("jai_queue_limit", "Sequences that may wait", null, () => ({ "": queue.limit }));
    this.#gauge("jai_queue_callers", "Callers that have running or waiting sequences", null, () => ({
      "": queue.byCaller.size,
    }));
    this.#gauge(
      "jai_queue_fairness_ratio",
      "Jain's fairness index of running sequences, over callers that have waiting ones: 1 is fair",
      null,
      () => ({ "": fairness(queue.byCaller.values()) }),
    );
    this.#counter(
      "jai_deadlines_missed_total",
      "Requests that missed a deadline: queue, first_token, stall or total",
      "deadline",
      () => {
        const { firstToken, ...missed } = queue.missed;
        return { ...missed, first_token: firstToken };
      },
    );
  }

  #addWorkers({ workers, vitals, live, plan, model }: StateMetricsParts): void {
    this.#gauge("jai_workers", "Worker threads, by state", "state", () =>
      tally(
        WORKER_STATES,
        workers().states.map(({ state }) => state),
      ),
    );
    this.#gauge("jai_slots", "Slots of all workers, by state", "state", () =>
      tally(
        SLOT_STATES,
        workers().states.flatMap(({ slots }) => slots.map(({ state }) => state)),
      ),
    );
    this.#counter(
      "jai_worker_restarts_total",
      "Workers that were replaced: for a death with work, for a failed start, or to free memory",
      "reason",
      () => {
        const { workers, memory } = vitals();
        return {
          death: workers.deaths,
          failed_start: workers.failed_starts,
          memory: memory.replaced_workers,
        };
      },
    );
    this.#counter("jai_reruns_total", "Sequences of dead workers: run again, or given up", "outcome", () => {
      const { tasks, failed } = vitals().reruns;
      return { again: tasks, given_up: failed };
    });
    this.#gauge("jai_cache_rows", "Rows of the cache: one for each token of each slot", null, () => ({
      "": live.rows.rows,
    }));
    this.#gauge("jai_cache_used_rows", "Rows of the cache that running sequences use", null, () => ({
      "": live.rows.used_rows,
    }));
    const bytes = plan.concurrency * cacheBytesPerSlot(model.config);
    this.#gauge("jai_cache_bytes", "Size of the whole cache", null, () => ({ "": bytes }));
  }

  #addJobs({ jobCounts, callbacks }: StateMetricsParts): void {
    this.#gauge("jai_jobs", "Jobs that wait and run", "state", () => {
      const { waiting, running } = jobCounts();
      return { waiting, running };
    });
    this.#counter("jai_jobs_ended_total", "Jobs that have ended: done, failed or cancelled", "state", () => {
      const { done, failed, cancelled } = jobCounts();
      return { done, failed, cancelled };
    });
    if (callbacks === null) return;
    this.#gauge("jai_webhooks_pending", "Callbacks that are still to be delivered", null, () => ({
      "": callbacks.counts.pending,
    }));
    this.#counter(
      "jai_webhook_attempts_total",
      "Attempts to send a callback: delivered, retried later, or failed for good",
      "outcome",
      () => {
        const { delivered, retried, failed } = callbacks.counts;
        return { delivered, retried, failed };
      },
    );
  }

  #addStores({ store, space, vitals }: StateMetricsParts): void {
    this.#gauge("jai_store_writable", "1 if the store of jobs and answers takes writes", null, () => ({
      "": Number(store.isWritable),
    }));
    this.#gauge("jai_store_used_bytes", "Texts of jobs and answers in the store", null, () => ({
      "": space.used,
    }));
    this.#gauge("jai_store_limit_bytes", "Beyond this nothing new is stored", null, () => ({
      "": space.limit,
    }));
    this.#gauge("jai_memory_budget_bytes", "Beyond this workers are replaced", null, () => ({
      "": vitals().memory.budget,
    }));
    this.#gauge("jai_memory_limited", "1 while new work is refused for want of memory", null, () => ({
      "": Number(vitals().memory.limited),
    }));
  }

  #info(name: string, help: string, labels: Record<string, string>): void {
    const gauge = new Gauge({ name, help, labelNames: Object.keys(labels), registers: [this.#registry] });
    gauge.set(labels, 1);
  }

  /** @param label null for a single value */
  #gauge(name: string, help: string, label: string | null, read: () => Values): void {
    new Gauge({
      name,
      help,
      labelNames: label === null ? [] : [label],
      registers: [this.#registry],
      collect() {
        for (const [value, number] of Object.entries(read()))
          this.set(label === null ? {} : { [label]: value }, number);
      },
    });
  }

  #counter(name: string, help: string, label: string, read: () => Values): void {
    new Counter({
      name,
      help,
      labelNames: [label],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [value, number] of Object.entries(read())) this.inc({ [label]: value }, number);
      },
    });
  }
}

/** How many times each value occurs. */
function tally(values: readonly string[], found: readonly string[]): Values {
  const counts = Object.fromEntries(values.map((value) => [value, 0]));
  for (const value of found) counts[value]!++;
  return counts;
}
