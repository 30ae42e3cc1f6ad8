export interface Percentiles {
  p50: number | null;
  p90: number | null;
  p99: number | null;
}

export interface Slot {
  state: "idle" | "prefill" | "decode";
  /** Tokens of its sequence that are in the cache. */
  tokens: number;
}

export interface Worker {
  state: "loading" | "idle" | "busy" | "stalled";
  slots: Slot[];
}

/** A request in the queue. Times are in seconds. */
export interface WaitingRequest {
  position: number;
  expected_wait: number | null;
  waited: number;
  sequences: number;
  priority: number;
  /** Null for another caller's, where keys are set. */
  caller: string | null;
  own: boolean;
}

/** What the server does now: the answer of `GET /status`. */
export interface Status {
  time: string;
  version: string;
  uptime_seconds: number;
  status: "healthy" | "degraded" | "loading" | "draining" | "unhealthy";
  model: { name: string; precision: string; context: number; vocabulary: number };
  device: string;
  threads: number;
  workers: Worker[];
  queue: { running: number; waiting: number; limit: number; requests: WaitingRequest[]; more: number };
  rates: { generated_tokens: number; prompt_tokens: number; requests: number };
  latency_ms: { queue: Percentiles; ttft: Percentiles; itl: Percentiles; total: Percentiles };
  cache: { bytes: number; rows: number; used_rows: number; prompt_tokens: number; reused_tokens: number };
  jobs: { waiting: number; running: number; done: number; failed: number; cancelled: number };
  requests: { ok: number; refused: number; failed: number; cancelled: number };
  restarts: { workers: number; reruns: number };
  memory: { rss: number; budget: number };
  event_loop_ms: { p50: number; p99: number };
}

export const seriesNames = [
  "generated_tokens",
  "prompt_tokens",
  "running",
  "waiting",
  "used_rows",
  "ttft_p50_ms",
  "ttft_p99_ms",
  "itl_p50_ms",
  "itl_p99_ms",
] as const;
export type SeriesName = (typeof seriesNames)[number];
export type Series = Record<SeriesName, (number | null)[]>;

/** The first event: the seconds before `until`, oldest first. */
export interface StatusHistory {
  interval_seconds: number;
  until: string;
  series: Series;
}
