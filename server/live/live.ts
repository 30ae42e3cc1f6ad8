import { EventEmitter } from "node:events";
import type { ModelConfig } from "../../models/config.js";
import { ITL_BOUNDS_MS, type WorkerCounts } from "../../workers/gauges.js";
import type { Plan } from "../plan/plan.js";
import type { WorkerState } from "../pool/pool.js";
import type { Queue } from "../queue/queue.js";
import { endingOf, queueMs, type Summary } from "../telemetry/summary.js";
import type { Telemetry } from "../telemetry/telemetry.js";
import { History, type Series } from "./history.js";
import { type Delays, LoopDelay } from "./loop-delay.js";
import { LATENCY_BOUNDS_MS, type Percentiles, Recent } from "./recent.js";

/** What the workers do, and what they have computed since the start; null before they are started. */
export interface Workers {
  states: WorkerState[];
  counts: WorkerCounts | null;
}

export interface LiveParts {
  model: { config: Pick<ModelConfig, "n_positions"> };
  plan: Pick<Plan, "concurrency">;
  queue: Pick<Queue<unknown, unknown>, "running" | "waiting">;
  workers: () => Workers;
  telemetry: Telemetry;
}

interface LiveEvents {
  /** A second has passed. */
  tick: [];
  /** The server stops: there are no more ticks. */
  closed: [];
}

/** Per second, over the last second. */
export interface Rates {
  generated_tokens: number;
  prompt_tokens: number;
  requests: number;
}

/** Over the last minute, in milliseconds. */
export interface Latencies {
  queue: Percentiles;
  ttft: Percentiles;
  itl: Percentiles;
  total: Percentiles;
}

const TICK_MS = 1000;

/**
 * What the server has done lately: counts since the start, latencies of the last minute, and a sample of each second of
 * the last five minutes. It costs a few additions a request and some microseconds a second, whether anybody looks or not.
 */
export class Live extends EventEmitter<LiveEvents> {
  readonly #parts: LiveParts;
  readonly #history = new History();
  readonly #queueTimes = new Recent(LATENCY_BOUNDS_MS);
  readonly #ttft = new Recent(LATENCY_BOUNDS_MS);
  readonly #itl = new Recent(ITL_BOUNDS_MS);
  readonly #totals = new Recent(LATENCY_BOUNDS_MS);
  readonly #loop = new LoopDelay();
  readonly #ticking: NodeJS.Timeout;
  readonly #requests = { ok: 0, refused: 0, failed: 0, cancelled: 0 };
  #prompts = 0;
  #read = 0;
  #reused = 0;
  readonly #drafts = { drafted: 0, accepted: 0 };
  #counts: WorkerCounts | null = null;
  #ended = 0;
  #endedBefore = 0;
  #at = performance.now();
  #rates: Rates = { generated_tokens: 0, prompt_tokens: 0, requests: 0 };

  constructor(parts: LiveParts) {
    super();
    this.#parts = parts;
    const { telemetry } = parts;
    telemetry.on("started", ({ generation }) => this.#queueTimes.add(queueMs(generation!)!));
    telemetry.on("read", (_, promptTokens) => {
      this.#prompts += promptTokens;
    });
    telemetry.on("first_token", ({ receivedAt, generation }) =>
      this.#ttft.add(generation!.firstTokenAt! - receivedAt),
    );
    telemetry.on("ended", (summary) => this.#count(summary));
    this.#ticking = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  get rates(): Rates {
    return this.#rates;
  }

  get latencies(): Latencies {
    return {
      queue: this.#queueTimes.percentiles,
      ttft: this.#ttft.percentiles,
      itl: this.#itl.percentiles,
      total: this.#totals.percentiles,
    };
  }

  /** How generating requests and jobs have ended, since the start. Invalid ones do not count. */
  get requests(): Readonly<Record<"ok" | "refused" | "failed" | "cancelled", number>> {
    return this.#requests;
  }

  /** Tokens of all prompts, each counted once for its sequence, with the sequence's first token. */
  get promptTokens(): number {
    return this.#prompts;
  }

  /** Tokens of prompts that finished sequences read, and those of them that a cache still held, since the start. */
  get prefixes(): { prompt_tokens: number; reused_tokens: number } {
    return { prompt_tokens: this.#read, reused_tokens: this.#reused };
  }

  /** Tokens that were drafted for finished sequences, and those of them that came true, since the start. */
  get drafts(): Readonly<{ drafted: number; accepted: number }> {
    return this.#drafts;
  }

  /** How late callbacks of the main thread were in the last second, in milliseconds. */
  get eventLoop(): { p50: number; p99: number } {
    return this.#loop.percentiles;
  }

  /** How late they were since the last call. */
  takeLoopDelays(): Delays {
    return this.#loop.take();
  }

  /** Rows of the cache: one for each token of each slot. */
  get rows(): { rows: number; used_rows: number } {
    const { plan, model, workers } = this.#parts;
    let used = 0;
    for (const { slots } of workers().states) for (const { tokens } of slots) used += tokens;
    return { rows: plan.concurrency * model.config.n_positions, used_rows: used };
  }

  get history(): { interval_seconds: number; series: Series } {
    return { interval_seconds: TICK_MS / 1000, series: this.#history.series };
  }

  /** A second call does nothing. */
  close(): void {
    this.emit("closed");
    clearInterval(this.#ticking);
    this.#loop.close();
  }

  #count(summary: Summary): void {
    const { generation } = summary;
    // Only what asked for a generation counts: probes and pages say nothing of the model.
    if (generation === null && !isGenerating(summary)) return;
    const ending = endingOf(summary);
    // What is no valid request asked for none.
    if (ending === "invalid") return;
    this.#requests[ending]++;
    this.#ended++;
    if (generation === null) return;
    this.#read += generation.readTokens;
    this.#reused += generation.cachedTokens;
    this.#drafts.drafted += generation.draftedTokens;
    this.#drafts.accepted += generation.acceptedTokens;
    const { startedAt, endedAt } = generation;
    // One that has started was counted then.
    const waited = startedAt === null ? queueMs(generation) : null;
    if (waited !== null) this.#queueTimes.add(waited);
    if (endedAt !== null && endedAt <= summary.endedAt)
      this.#totals.add(summary.endedAt - summary.receivedAt);
  }

  #tick(): void {
    const now = performance.now();
    const seconds = Math.max(now - this.#at, 1) / 1000;
    const { counts } = this.#parts.workers();
    const before = this.#counts;
    const written = (counts?.written ?? 0) - (before?.written ?? 0);
    const prefilled = (counts?.prefilled ?? 0) - (before?.prefilled ?? 0);
    this.#rates = {
      generated_tokens: round(written / seconds),
      prompt_tokens: round(prefilled / seconds),
      requests: round((this.#ended - this.#endedBefore) / seconds),
    };
    for (const recent of [this.#queueTimes, this.#ttft, this.#itl, this.#totals]) recent.tick();
    if (counts) this.#itl.addAll(counts.itl.map((count, bucket) => count - (before?.itl[bucket] ?? 0)));
    this.#counts = counts;
    this.#endedBefore = this.#ended;
    this.#at = now;
    this.#loop.tick(seconds * 1000 - TICK_MS);
    this.#sample();
    this.emit("tick");
  }

  #sample(): void {
    const { queue } = this.#parts;
    const { ttft, itl } = this.latencies;
    this.#history.add({
      generated_tokens: this.#rates.generated_tokens,
      prompt_tokens: this.#rates.prompt_tokens,
      running: queue.running,
      waiting: queue.waiting,
      used_rows: this.rows.used_rows,
      ttft_p50_ms: ttft.p50,
      ttft_p99_ms: ttft.p99,
      itl_p50_ms: itl.p50,
      itl_p99_ms: itl.p99,
    });
  }
}

const generating = new Set(["/generate", "/chat", "/v1/completions", "/v1/chat/completions"]);
const isGenerating = ({ method, route, path }: Summary) =>
  (method === "POST" || method === "JOB") && generating.has(route ?? path);
const round = (value: number) => Math.round(value * 10) / 10;
