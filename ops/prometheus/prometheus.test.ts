// The files of ops/prometheus/ and ops/grafana/, checked by promtool, and by a real Prometheus that scrapes a real server
// under load.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { ServerProcess } from "../server-process.js";
import { needsDebianPackage } from "../test/debian-package.js";
import { PrometheusProcess } from "./prometheus-process.js";
import { vllmQueries } from "./vllm-queries.js";

const skip = needsDebianPackage("prometheus", "promtool");
const MODEL = "models/jai-small";
const KEYS = ["alice", "bob"];
/** Requests at once: more than the server has slots, so that some wait. */
const LOAD = 12;

after(() => ServerProcess.killAll());

function promtool(args: readonly string[], input = "") {
  const { status, stdout, stderr } = spawnSync("promtool", args, { input, encoding: "utf8" });
  return { status, output: stdout + stderr };
}

for (const [what, args] of [
  ["the scrape configuration is valid", ["check", "config", "ops/prometheus/prometheus.yml"]],
  ["the alert rules are valid", ["check", "rules", "ops/prometheus/alerts.yml"]],
  ["each alert fires for what it is made for", ["test", "rules", "ops/prometheus/alerts.test.yml"]],
] as const)
  test(what, { skip }, () => {
    const { status, output } = promtool(args);
    assert.equal(status, 0, output);
  });

/** A server with named callers and callbacks, and the URL of its metrics. */
async function start(environment: Record<string, string> = {}) {
  const server = await ServerProcess.ready(MODEL, {
    JAI_METRICS_PORT: "0",
    JAI_METRICS_NAMES: "both",
    JAI_CONCURRENCY: "8",
    JAI_WORKERS: "1",
    JAI_API_KEYS: KEYS.map((name) => `${name}=${name}`).join(),
    JAI_CALLBACK_SECRET: `whsec_${Buffer.alloc(32, 1).toString("base64")}`,
    JAI_CALLBACK_PRIVATE: "allow",
    ...environment,
  });
  const [, address] = /metrics on http:\/\/([^/]+)/.exec(server.output)!;
  return { server, address: address! };
}

type Post = (path: string, body: object, headers?: Record<string, string>) => Promise<Response>;

/** Sends requests of all kinds until it is stopped. */
function load(port: number, receiver: string): () => Promise<void> {
  let isOver = false;
  const posting =
    (key: string): Post =>
    async (path, body, headers = {}) => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-api-key": key, ...headers },
        body: JSON.stringify(body),
      });
      await answer.arrayBuffer();
      return answer;
    };
  const loops = Array.from({ length: LOAD }, async (_, i) => {
    const post = posting(KEYS[i % KEYS.length]!);
    for (let n = 0; !isOver; n++) {
      await post("/generate", { prompt: `Once upon a time, ${n % 3}`, max_tokens: 24 });
      if (i > 0) continue;
      await post("/generate", {});
      await post("/detokenize", { tokens: [99] }, { "idempotency-key": "k" });
      // More at once than may wait.
      const job = { prompt: "x", max_tokens: 4, callback_url: receiver };
      await Promise.all([1, 2, 3, 4].map(() => post("/jobs", job)));
    }
  });
  return async () => {
    isOver = true;
    await Promise.all(loops);
  };
}

async function receiver() {
  const server = createServer((_req, res) => res.writeHead(204).end()).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

/** Queries of all panels of our dashboard. */
function ownQueries(): string[] {
  const { panels } = JSON.parse(readFileSync("ops/grafana/jai-server.json", "utf8")) as {
    panels: { targets?: { expr: string }[] }[];
  };
  return panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
}

/** Grafana's variables, as it would replace them for a scrape each second. */
const filledIn = (query: string) =>
  query
    .replaceAll("$__rate_interval", "5s")
    .replaceAll("$__range", "10s")
    .replaceAll("$model_name", "jai-small")
    .replaceAll("$Deployment_id", "jai-small")
    .replaceAll("$instance", ".*");

test("Prometheus has data for every panel of our dashboard and of vLLM's", { skip }, async (context) => {
  const { server, address } = await start({ JAI_JOB_LIMIT: "2" });
  const { server: receiving, url } = await receiver();
  const prometheus = await PrometheusProcess.start(`
global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
  - job_name: jai-server
    static_configs: [{ targets: ["${address}"] }]
`);
  const stopLoad = load(server.port, url);
  context.after(async () => {
    await stopLoad();
    receiving.close();
    await Promise.all([prometheus.stop(), server.stop()]);
  });
  await prometheus.until('up{job="jai-server"} == 1');
  const queries = [...ownQueries(), ...Object.values(vllmQueries).flat()].map(filledIn);
  assert.ok(queries.length > 100);
  await Promise.all(queries.map((query) => prometheus.until(query)));
  const [scrape] = await prometheus.until("scrape_samples_scraped");
  context.diagnostic(`${queries.length} queries, ${scrape!.value} samples a scrape`);
});

test("promtool finds nothing to complain of in a real scrape", { skip }, async () => {
  const { server, address } = await start({ JAI_METRICS_NAMES: "jai" });
  const text = await (await fetch(`http://${address}/metrics`)).text();
  const { status, output } = promtool(["check", "metrics"], text);
  assert.deepEqual([status, output], [0, ""]);
  await server.stop();
});

test("under vLLM's names promtool complains of nothing but their colon, and a histogram named like a counter", {
  skip,
}, async () => {
  const { server, address } = await start({ JAI_METRICS_NAMES: "vllm" });
  const text = await (await fetch(`http://${address}/metrics`)).text();
  const { output } = promtool(["check", "metrics"], text);
  const others = output
    .split("\n")
    .filter((line) => line !== "" && !/^vllm:\w+ metric names should not contain ':'$/.test(line));
  assert.deepEqual(others, [
    'vllm:iteration_tokens_total non-counter metrics should not have "_total" suffix',
  ]);
  await server.stop();
});

test("a metrics port that is taken, or the server's own, ends the start with one line", async () => {
  const { server, address } = await start();
  const port = address.split(":")[1]!;
  const taken = await ServerProcess.start(["--model", MODEL], { JAI_METRICS_PORT: port });
  assert.match(
    (await taken.exit).output,
    /the port is taken; JAI_METRICS_PORT or --metrics-port names another/,
  );
  const same = await ServerProcess.start(["--model", MODEL], { JAI_PORT: "8123", JAI_METRICS_PORT: "8123" });
  assert.match(
    (await same.exit).output,
    /JAI_METRICS_PORT: expected none, or another port than JAI_PORT, got "8123"/,
  );
  await server.stop();
});
