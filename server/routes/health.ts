import { Router } from "express";
import type { ModelConfig } from "../../models/config.js";
import type { SelfTestResult } from "../../models/self-test.js";
import type { Plan } from "../plan/plan.js";
import type { Queue } from "../queue/queue.js";

export interface HealthParts {
  model: { config: ModelConfig };
  plan: Pick<Plan, "device" | "workers" | "concurrency" | "threads" | "reasons">;
  // biome-ignore lint/suspicious/noExplicitAny: the type of queued items does not matter here
  queue: Pick<Queue<any, any>, "state" | "capacity" | "waiting" | "running" | "limit">;
  /** Null while the model loads. */
  selfTest: () => SelfTestResult | null;
  store: { isWritable: boolean };
  version: string;
}

export function healthRoutes({ model, plan, queue, selfTest, store, version }: HealthParts): Router {
  const { name, precision, n_positions: context, vocab_size: vocabulary } = model.config;
  const startedAt = performance.now();
  const router = Router();
  router.get("/", (_req, res) => {
    res.json({ status: "ok", message: "jai-server is running" });
  });
  router.get("/health", (_req, res) => {
    const { device, concurrency, workers, threads, reasons } = plan;
    const { state, capacity, waiting, running, limit } = queue;
    res.json({
      status: state === "draining" ? "draining" : "healthy",
      model_loaded: state !== "loading" && capacity > 0,
      device,
      model: { name, precision, context, vocabulary },
      concurrency,
      workers,
      threads,
      reasons,
      self_test: selfTest(),
      queue: { waiting, running, limit },
      store: { writable: store.isWritable },
      version,
      uptime_seconds: Math.floor((performance.now() - startedAt) / 1000),
    });
  });
  return router;
}
