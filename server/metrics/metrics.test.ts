// Metrics over HTTP. The tests in `ops/prometheus/` read them by Prometheus itself.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { exchange } from "../fixtures/exchange.js";
import { namedCallers } from "../fixtures/named-callers.js";
import { type StandInOptions, serveStandIn } from "../fixtures/stand-in.js";
import { WorkerLost } from "../pool/pool.js";
import { Course } from "../requests/course.js";
import type { GenerationRequest } from "../requests/operation.js";
import { newSummary } from "../telemetry/summary.js";
import { namesOf, seriesValue } from "./fixture.js";

const generating = { prompt: "abc", max_tokens: 2 };

async function serve(context: TestContext, options: StandInOptions = {}) {
  const server = await serveStandIn(context, options);
  const metrics = async () => {
    const answer = await fetch(`${server.url}/metrics`);
    assert.equal(answer.status, 200);
    return await answer.text();
  };
  return { ...server, metrics };
}

const bearer = (name: string) => ({ authorization: `Bearer ${name}` });

const labels = 'model_name="stand-in",engine="0"';

test("a generation is counted with its times, its tokens and the way it ended", async (context) => {
  const { post, metrics } = await serve(context);
  assert.equal((await post("/generate", { ...generating, n: 2 })).status, 200);
  const text = await metrics();
  const count = (name: string) => seriesValue(text, `jai_${name}_count{${labels}}`);
  const sum = (name: string) => seriesValue(text, `jai_${name}_sum{${labels}}`);
  for (const name of [
    "time_to_first_token_seconds",
    "e2e_request_latency_seconds",
    "request_queue_time_seconds",
    "request_inference_time_seconds",
    "request_prefill_time_seconds",
    "request_decode_time_seconds",
    "request_time_per_output_token_seconds",
  ])
    assert.equal(count(name), 1, name);
  assert.equal(sum("request_prompt_tokens"), 3);
  assert.equal(sum("request_generation_tokens"), 4);
  assert.equal(sum("request_max_num_generation_tokens"), 2, "the longest of the two");
  assert.equal(sum("request_params_n"), 2);
  assert.equal(sum("request_params_max_tokens"), 2);
  assert.equal(seriesValue(text, `jai_request_success_total{finished_reason="length",${labels}}`), 2);
  assert.equal(seriesValue(text, 'jai_http_requests_total{method="POST",route="/generate",status="200"}'), 1);
  assert.equal(seriesValue(text, 'jai_requests_total{ending="ok"}'), 1);
});

for (const stream of [true, false])
  test(`the wait and the first token of a ${stream ? "stream" : "request"} that still runs are counted, once`, async (context) => {
    const { post, metrics, jobs, until } = await serve(context, { hold: true });
    // Its metrics are loaded.
    await metrics();
    const answer = post("/generate", { ...generating, max_tokens: 5, stream, n: 2 });
    await until(() => jobs.length === 2);
    const token = ({ say, read }: (typeof jobs)[0]) => (stream ? say("a", 1) : read());
    const counts = (text: string) => [
      seriesValue(text, `jai_request_queue_time_seconds_count{${labels}}`),
      seriesValue(text, `jai_time_to_first_token_seconds_count{${labels}}`),
      seriesValue(text, `jai_prompt_tokens_total{${labels}}`),
      seriesValue(text, `jai_e2e_request_latency_seconds_count{${labels}}`),
    ];
    let now = counts(await metrics());
    while (now[0] === 0) now = counts(await metrics());
    assert.deepEqual(now, [1, 0, 0, 0]);
    // A rerun of a dead worker's sequence tells of its first token again.
    for (let run = 0; run < 2; run++) token(jobs[0]!);
    while (now[1] === 0) now = counts(await metrics());
    assert.deepEqual(now, [1, 1, 3, 0]);
    token(jobs[1]!);
    for (const job of jobs) job.finish();
    await (await answer).text();
    while (now[3] === 0) now = counts(await metrics());
    assert.deepEqual(now, [1, 1, 6, 1]);
  });

test("invalid requests, refusals and failures are counted by their error code, which all are there from the start", async (context) => {
  const { post, metrics, jobs, until, url } = await serve(context, { hold: true });
  const before = await metrics();
  assert.equal(seriesValue(before, 'jai_invalid_requests_total{code="invalid_body"}'), 0);
  assert.equal(seriesValue(before, 'jai_refusals_total{code="invalid_body"}'), null);
  assert.equal(seriesValue(before, 'jai_refusals_total{code="queue_full"}'), 0);
  assert.equal(seriesValue(before, 'jai_failures_total{code="worker_lost"}'), 0);
  assert.equal((await post("/generate", {})).status, 422);
  assert.equal((await fetch(`${url}/nothing`)).status, 404);
  const failing = post("/generate", generating);
  await until(() => jobs.length === 1);
  jobs[0]!.fail(new WorkerLost("killed"));
  assert.equal((await failing).status, 500);
  // A text serves everybody who asks shortly after.
  let text = before;
  while (text === before) text = await metrics();
  assert.equal(seriesValue(text, 'jai_invalid_requests_total{code="invalid_body"}'), 1);
  assert.equal(seriesValue(text, 'jai_invalid_requests_total{code="not_found"}'), 1);
  assert.equal(seriesValue(text, 'jai_failures_total{code="worker_lost"}'), 1);
  assert.equal(seriesValue(text, `jai_request_success_total{finished_reason="error",${labels}}`), 1);
});

test("paths that are no routes count as one, whatever their number", async (context) => {
  const { metrics, url } = await serve(context);
  for (let i = 0; i < 20; i++) await fetch(`${url}/nothing-${i}`);
  const text = await metrics();
  assert.equal(seriesValue(text, 'jai_http_requests_total{method="GET",route="other",status="404"}'), 20);
});

test("a replayed answer, a job and a missed deadline are counted", async (context) => {
  const { post, metrics, url, assembly } = await serve(context, {
    hold: true,
    slots: 1,
    queue: { timeouts: { queue: 0.05 } },
  });
  // It waits behind a request that never ends, until its deadline.
  const first = post("/generate", generating);
  assert.equal((await post("/generate", generating)).status, 504);
  const headers = { "content-type": "application/json", "idempotency-key": "k" };
  const detokenize = () =>
    fetch(`${url}/detokenize`, { method: "POST", headers, body: JSON.stringify({ tokens: [99] }) });
  await detokenize();
  assert.equal((await detokenize()).headers.get("idempotent-replayed"), "true");
  const { id } = (await (await post("/jobs", generating)).json()) as { id: string };
  await assembly.parts.dispatcher.cancel(assembly.parts.jobs.find("anonymous", id)!);
  const text = await metrics();
  assert.equal(seriesValue(text, 'jai_deadlines_missed_total{deadline="queue"}'), 1);
  assert.equal(seriesValue(text, 'jai_failures_total{code="deadline_exceeded"}'), 1);
  assert.equal(seriesValue(text, "jai_idempotent_replays_total"), 1);
  assert.equal(seriesValue(text, 'jai_jobs_ended_total{state="cancelled"}'), 1);
  assert.equal(seriesValue(text, `jai_num_requests_running{${labels}}`), 1);
  first.catch(() => {});
});

test("vLLM's names have the same values, and the deprecated ones too", async (context) => {
  const config = { metricsNames: "both" } as const;
  const { post, metrics } = await serve(context, { config });
  await post("/generate", generating);
  const text = await metrics();
  for (const [own, theirs] of [
    ["jai_num_requests_running", "vllm:num_requests_running"],
    ["jai_kv_cache_usage_perc", "vllm:kv_cache_usage_perc"],
    ["jai_kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"],
    ["jai_e2e_request_latency_seconds_sum", "vllm:e2e_request_latency_seconds_sum"],
    ["jai_inter_token_latency_seconds_count", "vllm:time_per_output_token_seconds_count"],
    ["jai_iteration_tokens_count", "vllm:iteration_tokens_total_count"],
    ["jai_prefix_cache_hits_total", "vllm:prefix_cache_hits_total"],
  ])
    assert.equal(seriesValue(text, `${theirs}{${labels}}`), seriesValue(text, `${own}{${labels}}`), theirs);
  assert.ok(seriesValue(text, `vllm:e2e_request_latency_seconds_sum{${labels}}`)! > 0);
});

test("vLLM's names replace ours if they alone are asked for; metrics that vLLM lacks keep theirs", async (context) => {
  const { metrics } = await serve(context, { config: { metricsNames: "vllm" } });
  const names = namesOf(await metrics());
  assert.ok(names.includes("vllm:num_requests_running"));
  assert.ok(!names.includes("jai_num_requests_running"));
  assert.ok(names.includes("jai_queue_limit"));
  assert.equal(new Set(names).size, names.length, "each name once");
});

test("with keys it needs one, and no answer of the API's port names a caller", async (context) => {
  const callers = namedCallers(["alice", "bob"]);
  const { url, document } = await serveStandIn(context, { callers });
  assert.ok(document.paths["/metrics"]);
  assert.equal((await fetch(`${url}/metrics`)).status, 401);
  for (const name of ["alice", "bob"])
    await fetch(`${url}/generate`, {
      method: "POST",
      headers: { ...bearer(name), "content-type": "application/json" },
      body: JSON.stringify(generating),
    });
  const answer = await fetch(`${url}/metrics`, { headers: bearer("alice") });
  assert.equal(answer.status, 200);
  assert.doesNotMatch(await answer.text(), /alice|bob|caller=/);
});

test("JAI_METRICS=public needs no key, and names no caller either", async (context) => {
  const callers = namedCallers(["alice"]);
  const { url } = await serveStandIn(context, { callers, config: { metrics: "public" } });
  await fetch(`${url}/generate`, {
    method: "POST",
    headers: { ...bearer("alice"), "content-type": "application/json" },
    body: JSON.stringify(generating),
  });
  const answer = await fetch(`${url}/metrics`);
  assert.equal(answer.status, 200);
  assert.doesNotMatch(await answer.text(), /alice|caller=/);
  assert.equal((await fetch(`${url}/status`)).status, 401, "other paths need one still");
});

test("JAI_METRICS=off answers 404", async (context) => {
  const { url } = await serveStandIn(context, { config: { metrics: "off" } });
  assert.equal((await fetch(`${url}/metrics`)).status, 404);
});

/** The port of the metrics alone, of a server with two named callers. */
async function ownPort(context: TestContext, names = ["alice", "bob"]) {
  const config = { metrics: "off", metricsPort: 0 } as const;
  const server = await serveStandIn(context, { callers: namedCallers(names), hold: true, slots: 1, config });
  const http = server.assembly.createMetricsServer().listen(0, "127.0.0.1");
  await once(http, "listening");
  context.after(() => {
    http.closeAllConnections();
    http.close();
  });
  const { port } = http.address() as AddressInfo;
  const post = (name: string) =>
    fetch(`${server.url}/generate`, {
      method: "POST",
      headers: { ...bearer(name), "content-type": "application/json" },
      body: JSON.stringify(generating),
    });
  const ask = (path: string, headers = {}) => exchange(port, { method: "GET", path, headers });
  return { ...server, post, ask };
}

test("a port of its own needs no key, and tells what each caller does", async (context) => {
  const { post, ask, jobs, until, queue } = await ownPort(context);
  const running = post("alice");
  await until(() => jobs.length === 1);
  const waiting = post("bob");
  while (queue.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
  const { status, body, headers } = await ask("/metrics");
  assert.equal(status, 200);
  assert.equal(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
  assert.equal(seriesValue(body, 'jai_caller_sequences{caller="alice",state="running"}'), 1);
  assert.equal(seriesValue(body, 'jai_caller_sequences{caller="bob",state="waiting"}'), 1);
  assert.equal(seriesValue(body, "jai_queue_callers"), 2);
  jobs[0]!.finish();
  assert.equal((await running).status, 200);
  await until(() => jobs.length === 2);
  jobs[1]!.finish();
  assert.equal((await waiting).status, 200);
  let text = body;
  while (text === body) text = (await ask("/metrics")).body;
  assert.equal(seriesValue(text, 'jai_caller_requests_total{caller="bob",ending="ok"}'), 1);
  assert.equal(seriesValue(text, 'jai_caller_tokens_total{caller="alice",kind="generation"}'), 2);
  assert.ok(seriesValue(text, 'jai_caller_queue_seconds_total{caller="bob"}')! > 0);
});

test("the metrics' own port has nothing else, and answers only to the server's own hosts", async (context) => {
  const { ask } = await ownPort(context);
  for (const path of ["/", "/health", "/status", "/generate", "/metrics/"])
    assert.equal((await ask(path)).status, 404, path);
  assert.equal((await ask("/metrics", { host: "evil.example" })).status, 421);
});

test("beyond 100 callers the others count together", async (context) => {
  const names = Array.from({ length: 103 }, (_, i) => `caller-${i}`);
  const { ask, telemetry } = await ownPort(context, names);
  for (const caller of names) {
    const { summary: generation } = new Course({ sequences: 1, maxTokens: 1 } as GenerationRequest, 0);
    const summary = newSummary({ kind: "request", id: "i", method: "POST", path: "/generate" });
    telemetry.emit("ended", { ...summary, caller, status: 200, generation });
  }
  const { body } = await ask("/metrics");
  assert.equal(body.match(/^jai_caller_requests_total\{/gm)!.length, 101);
  assert.equal(seriesValue(body, 'jai_caller_requests_total{caller="other callers",ending="ok"}'), 3);
});

test("docs/metrics.md lists exactly the metrics that there are, with their types", async (context) => {
  const callbackSecret = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;
  const { assembly } = await serveStandIn(context, { config: { metricsPort: 0, callbackSecret } });
  const http = assembly.createMetricsServer().listen(0, "127.0.0.1");
  await once(http, "listening");
  const { port } = http.address() as AddressInfo;
  const { body } = await exchange(port, { method: "GET", path: "/metrics" });
  http.close();
  const served = [...body.matchAll(/^# TYPE (jai_\w+) (\w+)/gm)].map(([, ...row]) => row);
  const page = readFileSync("docs/metrics.md", "utf8");
  const listed = [...page.matchAll(/^\| `(jai_\w+)` \| (counter|gauge|histogram) \|/gm)].map(
    ([, ...row]) => row,
  );
  assert.deepEqual(listed.sort(), served.sort());
});

test("the event loop's delay keeps prom-client's names", async (context) => {
  const { metrics } = await serve(context);
  const names = namesOf(await metrics()).filter((name) => name.startsWith("nodejs_eventloop_lag"));
  const kinds = ["", "min_", "max_", "mean_", "stddev_", "p50_", "p90_", "p99_"];
  assert.deepEqual(names.sort(), kinds.map((kind) => `nodejs_eventloop_lag_${kind}seconds`).sort());
});
