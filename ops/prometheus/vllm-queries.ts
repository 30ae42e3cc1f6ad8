// What vLLM's public Grafana dashboards ask for. Their files are examples/observability/prometheus_grafana/grafana.json (of
// commit 4b5c627c), and performance_statistics.json (5961e8d3) and query_statistics.json (030ea52e) in
// examples/observability/dashboards/grafana/. Older ones also ask for the deprecated names.

const latencies = [
  "vllm:e2e_request_latency_seconds",
  "vllm:time_to_first_token_seconds",
  "vllm:inter_token_latency_seconds",
];
const deprecatedLatency = "vllm:time_per_output_token_seconds";

const model = '{model_name="$model_name"}';
const deployment = '{model_name=~"$Deployment_id"}';
const interval = "[$__rate_interval]";
const range = "[$__range]";

/** A quantile of a histogram, by `le` and more labels. */
const quantile = (q: string, name: string, labels: string, window: string, by = "le") =>
  `histogram_quantile(${q}, sum by(${by}) (rate(${name}_bucket${labels}${window})))`;
const mean = (name: string, labels: string, window: string) =>
  `rate(${name}_sum${labels}${window}) / rate(${name}_count${labels}${window})`;

const overview = [
  ...[...latencies, deprecatedLatency].flatMap((name) => [
    ...["0.99", "0.95", "0.9", "0.5"].map((q) => quantile(q, name, model, interval)),
    mean(name, model, interval),
  ]),
  ...["prompt_tokens_total", "generation_tokens_total"].map(
    (name) => `rate(vllm:${name}${model}${interval})`,
  ),
  ...["num_requests_running", "num_requests_waiting", "kv_cache_usage_perc", "gpu_cache_usage_perc"].map(
    (name) => `vllm:${name}${model}`,
  ),
  ...["request_prompt_tokens", "request_generation_tokens"].map(
    (name) => `sum by(le) (increase(vllm:${name}_bucket${model}${interval}))`,
  ),
  `sum by(finished_reason) (increase(vllm:request_success_total${model}${interval}))`,
  ...[
    "request_queue_time_seconds",
    "request_prefill_time_seconds",
    "request_decode_time_seconds",
    "request_max_num_generation_tokens",
  ].map((name) => `rate(vllm:${name}_sum${model}${interval})`),
];

const performance = [
  ...latencies.flatMap((name) => [
    mean(name, "", interval),
    ...["0.99", "0.90", "0.50"].flatMap((q) => [
      quantile(q, name, "", range),
      quantile(q, name, "", interval),
    ]),
    `(sum(increase(${name}_sum${range})) / sum(increase(${name}_count${range})))`,
  ]),
  ...["generation_tokens_total", "prompt_tokens_total", "iteration_tokens_total_count"].map(
    (name) => `rate(vllm:${name}${interval})`,
  ),
];

const requests = [
  ...["request_success_total", "prompt_tokens_total", "generation_tokens_total"].flatMap((name) => [
    `sum by (model_name) (rate(vllm:${name}${deployment}${interval}))`,
    `sum(rate(vllm:${name}${deployment}${interval}))`,
  ]),
  ...["vllm:e2e_request_latency_seconds", "vllm:request_prompt_tokens"].flatMap((name) =>
    ["0.50", "0.90", "0.99"].map((q) => quantile(q, name, deployment, interval, "le, model_name")),
  ),
  `sum by (le, model_name) (rate(vllm:request_prompt_tokens_bucket${deployment}${interval}))`,
  `sum(rate(vllm:prompt_tokens_total${deployment}${interval})) / sum(rate(vllm:request_success_total${deployment}${interval}))`,
];

/** By dashboard, the queries of all its panels. */
export const vllmQueries: Readonly<Record<string, readonly string[]>> = { overview, performance, requests };
