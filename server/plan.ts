import { availableParallelism } from "node:os";
import type { ModelFolder } from "../models/folder.js";
import type { Device } from "../workers/protocol.js";
import type { Config } from "./config.js";

/** What the server runs on, and why. */
export interface Plan {
  device: Device;
  /** One id per worker. */
  deviceIds: number[];
  workers: number;
  /** Sequences that one worker runs at once. */
  slots: number;
  /** Sequences at once, over all workers. */
  concurrency: number;
  /** Native threads of each worker. */
  threads: number;
  reasons: readonly string[];
}

/** Provisional: the CPU, with 32 slots. */
export function planServing(config: Config, _model: ModelFolder): Plan {
  const workers = config.workers === "auto" ? 1 : config.workers;
  const slots = Math.ceil((config.concurrency === "auto" ? 32 : config.concurrency) / workers);
  const threads =
    config.threads === "auto" ? Math.max(1, Math.floor(availableParallelism() / workers)) : config.threads;
  return {
    device: "cpu",
    deviceIds: Array.from({ length: workers }, () => 0),
    workers,
    slots,
    concurrency: slots * workers,
    threads,
    reasons: ["device cpu: provisional"],
  };
}
