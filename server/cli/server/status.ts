import { ask, notJai, ServerError } from "./ask.js";
import type { Server } from "./server.js";

/** Milliseconds; null where nothing was measured. */
export interface Percentiles {
  p50: number | null;
  p90: number | null;
  p99: number | null;
}

export type SlotState = "idle" | "prefill" | "decode";

/** What `GET /status` tells of a server now. Times are in seconds, unless named `_ms`. */
export interface Status {
  time: string;
  version: string;
  uptime_seconds: number;
  status: string;
  model: { name: string; precision: string; context: number; vocabulary: number };
  device: string;
  threads: number;
  workers: { state: string; slots: { state: SlotState; tokens: number }[] }[];
  queue: {
    running: number;
    waiting: number;
    limit: number;
    requests: Waiting[];
    /** How many more wait than are listed. */
    more: number;
  };
  /** In the last second. */
  rates: { generated_tokens: number; prompt_tokens: number; requests: number };
  /** Of the last minute. */
  latency_ms: { queue: Percentiles; ttft: Percentiles; itl: Percentiles; total: Percentiles };
  cache: { bytes: number; rows: number; used_rows: number; prompt_tokens: number; reused_tokens: number };
  jobs: { waiting: number; running: number; done: number; failed: number; cancelled: number };
  restarts: { workers: number; reruns: number };
  memory: { rss: number; budget: number };
  event_loop_ms: { p50: number; p99: number };
  requests: { ok: number; refused: number; failed: number; cancelled: number };
}

export interface Waiting {
  position: number;
  expected_wait: number | null;
  waited: number;
  sequences: number;
  priority: number;
  /** Null for other callers' requests where keys are set, and where there are none. */
  caller: string | null;
  own: boolean;
}

/** Values of the last minutes, oldest first; null where nothing was measured. */
export interface History {
  interval_seconds: number;
  series: Readonly<Record<string, readonly (number | null)[]>>;
}

/** @throws an error with a one-line message, which says so if the server is too old to have a status */
export async function askStatus(server: Server): Promise<Status> {
  try {
    return readStatus(server, await ask(server, "status"));
  } catch (error) {
    throw orTooOld(server, error);
  }
}

/** Many servers have a /status. @throws an error with a one-line message for another server's */
export function readStatus(server: Server, value: Readonly<Record<string, unknown>>): Status {
  const { workers, queue } = value as { workers?: unknown; queue?: { requests?: unknown } | null };
  const isOurs =
    Array.isArray(workers) && Array.isArray(queue?.requests) && PARTS.every((part) => value[part]);
  if (!isOurs) throw notJai(server);
  return value as unknown as Status;
}

const PARTS = ["model", "rates", "latency_ms", "cache", "jobs", "restarts", "memory", "requests"] as const;

export function orTooOld({ url }: Server, error: unknown): unknown {
  if (!(error instanceof ServerError) || error.status !== 404) return error;
  return new Error(`expected a server with a status at ${url}, got one of an earlier version`);
}
