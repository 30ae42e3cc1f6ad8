import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { ModelConfig } from "../../models/config.js";
import { ITL_BOUNDS_MS, STEP_BOUNDS, type WorkerCounts } from "../../workers/gauges.js";
import type { Live, Workers } from "../live/live.js";
import type { Plan } from "../plan/plan.js";
import type { Queue } from "../queue/queue.js";
import { endingOf, type GenerationSummary, meanItl, queueMs, type Summary } from "../telemetry/summary.js";
import { SECONDS, SEQUENCES, TOKENS } from "./buckets.js";
import { countedHistogram } from "./counted-histogram.js";
import { type MetricsNames, publish, type Readable } from "./published.js";

export interface ModelMetricsParts {
  model: { config: Pick<ModelConfig, "name" | "n_positions" | "precision"> };
  plan: Pick<Plan, "concurrency">;
  queue: Pick<Queue<unknown, unknown>, "running" | "waiting">;
  workers: () => Workers;
  live: Pick<Live, "rows" | "prefixes" | "drafts" | "promptTokens">;
}

const NO_COUNTS: WorkerCounts = { prefilled: 0, written: 0, itl: [], itlSumMs: 0, steps: [] };

/** How sequences end, in vLLM's words. */
const REASONS = ["stop", "length", "abort", "error"] as const;

/**
 * The metrics that vLLM has too, with its labels. `jai_` and vLLM's name without `vllm:` is our name, but for
 * `jai_iteration_tokens`: Prometheus keeps the ending `_total` for counters.
 */
export class ModelMetrics {
  readonly registry = new Registry();
  readonly #names: MetricsNames;
  readonly #ended: Counter<"finished_reason">;
  readonly #ttft: Histogram;
  readonly #meanItl: Histogram;
  readonly #total: Histogram;
  readonly #queued: Histogram;
  readonly #ran: Histogram;
  readonly #prefill: Histogram;
  readonly #decode: Histogram;
  readonly #promptTokens: Histogram;
  readonly #tokens: Histogram;
  readonly #longest: Histogram;
  readonly #sequences: Histogram;
  readonly #maxTokens: Histogram;

  constructor(parts: ModelMetricsParts, names: MetricsNames) {
    this.#names = names;
    // All series have them, so they cost nothing when a value is counted.
    this.registry.setDefaultLabels({ model_name: parts.model.config.name, engine: "0" });
    this.#addGauges(parts);
    this.#addCounts(parts);
    this.#ended = new Counter({
      name: "jai_request_success_total",
      help: "Sequences that ended, by reason",
      labelNames: ["finished_reason"],
      registers: [],
    });
    for (const finished_reason of REASONS) this.#ended.inc({ finished_reason }, 0);
    this.#publish("request_success_total", this.#ended);
    this.#ttft = this.#seconds("time_to_first_token", "From a request's arrival to its first token");
    this.#meanItl = this.#seconds(
      "request_time_per_output_token",
      "A request's mean time between two tokens",
    );
    this.#total = this.#seconds("e2e_request_latency", "From a request's arrival to the end of its answer");
    this.#queued = this.#seconds("request_queue_time", "From a request's reservation to its first slot");
    this.#ran = this.#seconds("request_inference_time", "From a request's first slot to its last token");
    this.#prefill = this.#seconds("request_prefill_time", "From a request's first slot to its first token");
    this.#decode = this.#seconds("request_decode_time", "From a request's first token to its last");
    this.#promptTokens = this.#sizes("request_prompt_tokens", "Tokens of a request's prompt", TOKENS);
    this.#tokens = this.#sizes("request_generation_tokens", "Tokens that a request wrote", TOKENS);
    this.#longest = this.#sizes(
      "request_max_num_generation_tokens",
      "Tokens of a request's longest sequence",
      TOKENS,
    );
    this.#sequences = this.#sizes("request_params_n", "Sequences of a request", SEQUENCES);
    this.#maxTokens = this.#sizes("request_params_max_tokens", "max_tokens of a request", TOKENS);
  }

  /** Counts a request or job that has got its first slot. */
  started({ generation }: Summary): void {
    this.#queued.observe(queueMs(generation!)! / 1000);
  }

  /** Counts a request or job that has its first token. */
  firstToken({ receivedAt, generation }: Summary): void {
    this.#ttft.observe((generation!.firstTokenAt! - receivedAt) / 1000);
  }

  /** Counts a request or job that has ended. */
  count(summary: Summary): void {
    const { generation } = summary;
    if (generation === null) return;
    // One that has started was counted then.
    const waited = generation.startedAt === null ? queueMs(generation) : null;
    if (waited !== null) this.#queued.observe(waited / 1000);
    this.#countReasons(summary, generation);
    this.#sequences.observe(generation.sequences);
    this.#maxTokens.observe(generation.maxTokens);
    const { startedAt, firstTokenAt, endedAt } = generation;
    // Of a cancelled or late request the sequences end after the answer: its times say nothing of the model's.
    if (startedAt === null || endedAt === null || endedAt > summary.endedAt) return;
    this.#total.observe((summary.endedAt - summary.receivedAt) / 1000);
    this.#ran.observe((endedAt - startedAt) / 1000);
    this.#promptTokens.observe(generation.promptTokens);
    this.#tokens.observe(generation.completionTokens);
    this.#longest.observe(generation.longestTokens);
    if (firstTokenAt === null) return;
    this.#prefill.observe((firstTokenAt - startedAt) / 1000);
    this.#decode.observe((endedAt - firstTokenAt) / 1000);
    const itl = meanItl(generation);
    if (itl !== null) this.#meanItl.observe(itl / 1000);
  }

  #countReasons(summary: Summary, { reasons, sequences }: GenerationSummary): void {
    for (const finished_reason of reasons) this.#ended.inc({ finished_reason });
    const rest = sequences - reasons.length;
    const ending = endingOf(summary);
    if (ending === "cancelled") this.#ended.inc({ finished_reason: "abort" }, rest);
    if (ending === "failed") this.#ended.inc({ finished_reason: "error" }, rest);
  }

  #addGauges({ queue, live, plan, model }: ModelMetricsParts): void {
    this.#gauge("num_requests_running", "Sequences that have a slot", () => queue.running);
    this.#gauge("num_requests_waiting", "Sequences that wait for a slot", () => queue.waiting);
    const usage = this.#newGauge(
      "kv_cache_usage_perc",
      "Share of the cache's rows that running sequences use, 0 to 1",
      () => live.rows.used_rows / live.rows.rows,
    );
    this.#publish("kv_cache_usage_perc", usage, ["kv_cache_usage_perc", "gpu_cache_usage_perc"]);
    const config = new Gauge({
      name: "jai_cache_config_info",
      help: "The cache: its number of blocks, of one row each, and the type of a row's elements",
      labelNames: ["block_size", "cache_dtype", "enable_prefix_caching", "num_gpu_blocks"],
      registers: [],
    });
    config.set(
      {
        block_size: "1",
        cache_dtype: model.config.precision === "int8" ? "int8" : "float32",
        enable_prefix_caching: "True",
        num_gpu_blocks: String(plan.concurrency * model.config.n_positions),
      },
      1,
    );
    this.#publish("cache_config_info", config);
  }

  /** What the workers count in shared memory. */
  #addCounts({ workers, live }: ModelMetricsParts): void {
    const counts = () => workers().counts ?? NO_COUNTS;
    const cached = () => live.prefixes.reused_tokens;
    this.#counter(
      "prompt_tokens_total",
      "Tokens of prompts, each prompt once for a sequence that has got a token, those found in a cache included",
      () => live.promptTokens,
    );
    this.#counter(
      "prompt_tokens_cached_total",
      "Tokens of finished sequences' prompts that a cache still had",
      cached,
    );
    this.#counter(
      "generation_tokens_total",
      "Tokens that workers wrote, those of a rerun again",
      () => counts().written,
    );
    this.#counter(
      "prefix_cache_queries_total",
      "Tokens of prompts that were looked for in a cache",
      () => live.prefixes.prompt_tokens,
      ["prefix_cache_queries_total", "gpu_prefix_cache_queries_total"],
    );
    this.#counter("prefix_cache_hits_total", "Tokens of prompts that were found in a cache", cached, [
      "prefix_cache_hits_total",
      "gpu_prefix_cache_hits_total",
    ]);
    this.#counter(
      "spec_decode_num_draft_tokens_total",
      "Tokens that were drafted for finished sequences",
      () => live.drafts.drafted,
      ["spec_decode_num_draft_tokens_total"],
    );
    this.#counter(
      "spec_decode_num_accepted_tokens_total",
      "Drafted tokens that came true",
      () => live.drafts.accepted,
      ["spec_decode_num_accepted_tokens_total"],
    );
    const itl = countedHistogram(
      {
        name: "jai_inter_token_latency_seconds",
        help: "Time between two tokens of a sequence (ITL)",
        bounds: ITL_BOUNDS_MS.map((ms) => ms / 1000),
      },
      () => ({ counts: counts().itl, sum: counts().itlSumMs / 1000 }),
    );
    this.#publish("inter_token_latency_seconds", itl, [
      "inter_token_latency_seconds",
      "time_per_output_token_seconds",
    ]);
    const steps = countedHistogram(
      {
        name: "jai_iteration_tokens",
        help: "Tokens of an engine's step, those of prompts and those that were written",
        bounds: STEP_BOUNDS,
      },
      () => ({ counts: counts().steps, sum: counts().prefilled + counts().written }),
    );
    this.#publish("iteration_tokens", steps, ["iteration_tokens_total"]);
  }

  /**
   * @param tail of our name
   * @param tails of vLLM's names. Default: the same
   */
  #publish(tail: string, metric: Readable, tails = [tail]): void {
    publish(this.registry, this.#names, metric, `jai_${tail}`, tails);
  }

  #newGauge(tail: string, help: string, read: () => number): Gauge {
    return new Gauge({
      name: `jai_${tail}`,
      help,
      registers: [],
      collect() {
        this.set(read());
      },
    });
  }

  #gauge(tail: string, help: string, read: () => number): void {
    this.#publish(tail, this.#newGauge(tail, help, read));
  }

  #counter(tail: string, help: string, read: () => number, tails?: string[]): void {
    const counter = new Counter({
      name: `jai_${tail}`,
      help,
      registers: [],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
    this.#publish(tail, counter, tails);
  }

  #seconds(tail: string, help: string): Histogram {
    return this.#sizes(`${tail}_seconds`, help, SECONDS);
  }

  #sizes(tail: string, help: string, buckets: number[]): Histogram {
    const histogram = new Histogram({ name: `jai_${tail}`, help, buckets, registers: [] });
    this.#publish(tail, histogram);
    return histogram;
  }
}
