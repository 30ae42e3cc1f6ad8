import type { IRouter } from "express";
import type { ModelFolder } from "../../models/folder.js";
import type { SelfTestResult } from "../../models/self-test.js";
import { PublicError } from "../errors/errors.js";
import type { Plan } from "../plan/plan.js";
import type { Queue } from "../queue/queue.js";

/** How the workers and the memory are. */
export interface Vitals {
  workers: {
    /** How many have loaded the model. */
    loaded: number;
    /** How many of those have work, and have made no step for a while. */
    stalled: number;
    /** How many have died with work. */
    deaths: number;
    /** How many starts of successors have failed, or taken too long. */
    failed_starts: number;
  };
  /** Sequences that ran again after a worker's death, and those that were given up. */
  reruns: { tasks: number; failed: number };
  /** Of the whole process, in bytes. */
  memory: {
    rss: number;
    budget: number;
    /** Null without a limit. */
    container_free: number | null;
    /** Whether new work is refused. */
    limited: boolean;
    replaced_workers: number;
  };
}

// biome-ignore lint/suspicious/noExplicitAny: the type of queued items does not matter here
type AnyQueue = Queue<any, any>;

export interface HealthParts {
  model: Pick<ModelFolder, "config" | "chatTemplate">;
  plan: Pick<Plan, "device" | "workers" | "concurrency" | "threads" | "reasons">;
  queue: Pick<AnyQueue, "state" | "capacity" | "waiting" | "running" | "limit" | "retryAfter">;
  /** Null while the model loads. */
  selfTest: () => SelfTestResult | null;
  vitals: () => Vitals;
  store: { isWritable: boolean };
  /** When the server started, by `performance.now()`. */
  startedAt: number;
  version: string;
}

/** What keeps a server from generating. */
type Obstacle = "model_loading" | "shutting_down" | "memory_limited" | "not_ready";

/** @returns null if the server can generate */
export function obstacleOf(
  { state, capacity }: Pick<AnyQueue, "state" | "capacity">,
  { workers: { loaded, stalled }, memory }: Vitals,
): Obstacle | null {
  if (state === "draining") return "shutting_down";
  if (state === "loading") return "model_loading";
  if (capacity === 0 || stalled >= loaded) return "not_ready";
  return memory.limited ? "memory_limited" : null;
}

const STATUSES: Readonly<Record<Obstacle, string>> = {
  model_loading: "loading",
  shutting_down: "draining",
  not_ready: "unhealthy",
  memory_limited: "degraded",
};

export function healthRoutes(app: IRouter, parts: HealthParts): void {
  const { model, plan, queue, selfTest, vitals, store, startedAt, version } = parts;
  const { name, precision, n_positions: context, vocab_size: vocabulary } = model.config;
  app.get("/live", (_req, res) => {
    res.json({ status: "live" });
  });
  app.get("/ready", (_req, res) => {
    const obstacle = obstacleOf(queue, vitals());
    if (obstacle !== null)
      throw new PublicError(obstacle, { retryAfter: queue.retryAfter({ caller: "", priority: 0 }) });
    res.json({ status: "ready" });
  });
  app.get("/health", (_req, res) => {
    const { device, concurrency, workers, threads, reasons } = plan;
    const { state, capacity, waiting, running, limit } = queue;
    const now = vitals();
    res.json({
      status: statusOf(parts, now),
      model_loaded: state !== "loading" && capacity > 0,
      device,
      model: { name, precision, context, vocabulary, chat_template: model.chatTemplate !== null },
      concurrency,
      workers,
      threads,
      reasons,
      self_test: selfTest(),
      queue: { waiting, running, limit },
      worker_states: now.workers,
      reruns: now.reruns,
      memory: now.memory,
      store: { writable: store.isWritable },
      version,
      uptime_seconds: Math.floor((performance.now() - startedAt) / 1000),
    });
  });
}

/** The `status` that GET /health tells. */
export function statusOf({ queue, plan }: Pick<HealthParts, "queue" | "plan">, vitals: Vitals): string {
  const obstacle = obstacleOf(queue, vitals);
  if (obstacle !== null) return STATUSES[obstacle];
  const { loaded, stalled } = vitals.workers;
  return loaded < plan.workers || stalled > 0 ? "degraded" : "healthy";
}
