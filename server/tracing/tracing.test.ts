// Real servers, and a collector that parses what they send.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { trace } from "@opentelemetry/api";
import { writeFixtureModel } from "../../models/fixtures/model.js";
import { ServerProcess } from "../../ops/server-process.js";
import { openServer } from "../library/index.js";
import { type ReceivedSpan, Receiver } from "./fixture.js";

const folder = mkdtempSync(join(tmpdir(), "jai-tracing-"));
const model = join(folder, "model");
before(() => writeFixtureModel(model, "int8"));
after(() => {
  ServerProcess.killAll();
  rmSync(folder, { recursive: true });
});

const PHASES = ["receive", "prepare", "queue", "prefill", "decode", "deliver"];
const body = { prompt: "a secret prompt", max_tokens: 30, seed: 7, ignore_eos: true };
const trace1 = "4bf92f3577b34da6a3ce929d0e0e4736";
const parent1 = "00f067aa0ba902b7";

const start = (environment: Record<string, string>) =>
  ServerProcess.ready(model, {
    JAI_CONCURRENCY: "4",
    JAI_LOG_FORMAT: "json",
    OTEL_BSP_SCHEDULE_DELAY: "20",
    ...environment,
  });

function post({ port }: ServerProcess, path: string, json: object, headers: Record<string, string> = {}) {
  return fetch(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(json),
  });
}

// biome-ignore lint/suspicious/noExplicitAny: the assertions say what it is
const read = (response: Response): Promise<any> => response.json();

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

/** Resolves to the log's line about the end of a request or a job. */
async function endOf(server: ServerProcess, id: string): Promise<Record<string, unknown>> {
  for (;;) {
    for (const line of server.output.split("\n").filter((one) => one.startsWith("{"))) {
      const entry = JSON.parse(line);
      if (entry.id === id && entry.total_ms !== undefined) return entry;
    }
    await turn();
  }
}

const isNear = (value: unknown, expected: number, name: string) =>
  assert.ok(Math.abs(Number(value) - expected) < 0.11, `${name}: ${value}, expected about ${expected}`);

describe("a traced server", () => {
  let receiver: Receiver;
  let server: ServerProcess;
  before(async () => {
    receiver = await Receiver.open();
    server = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_HEADERS: "x-team=a%20b",
      OTEL_EXPORTER_OTLP_COMPRESSION: "gzip",
      OTEL_SERVICE_NAME: "my-gpt",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
      JAI_CALLBACK_SECRET: `whsec_${Buffer.alloc(32, 1).toString("base64")}`,
      JAI_CALLBACK_PRIVATE: "allow",
    });
  });
  after(async () => {
    await server.stop();
    receiver.close();
  });
  const childrenOf = ({ spanId }: ReceivedSpan) =>
    receiver.spans.filter(({ parentId }) => parentId === spanId).toSorted((a, b) => a.start - b.start);

  test("sends a span for each request, with its phases, whose times are those of the log", async () => {
    const { status, headers, text } = await server.stream("/generate", body, () => {});
    assert.equal(status, 200, text);
    const id = String(headers["x-request-id"]);
    const [, traceId, spanId, flags] = String(headers.traceresponse).split("-");
    assert.equal(flags, "01");
    const root = await receiver.span((span) => span.spanId === spanId);
    assert.deepEqual(
      [root.name, root.kind, root.traceId, root.parentId, root.status.code],
      ["POST /generate", 2, traceId, "", 0],
    );
    const children = childrenOf(root);
    assert.deepEqual(
      children.map(({ name }) => name),
      PHASES,
    );
    const line = await endOf(server, id);
    assert.equal(line.trace_id, traceId);
    const [, prepare, queue, prefill, decode, deliver] = children.map(({ duration }) => duration) as number[];
    isNear(line.prepare_ms, prepare!, "prepare");
    isNear(line.queue_ms, prepare! + queue!, "queue");
    isNear(line.first_token_ms, prefill!, "prefill");
    isNear(line.run_ms, prefill! + decode!, "run");
    isNear(line.deliver_ms, deliver!, "deliver");
    isNear(line.total_ms, root.duration, "total");
    isNear(
      root.duration,
      children.reduce((sum, { duration }) => sum + duration, 0),
      "the sum",
    );
    assert.deepEqual(
      root.events.map(({ name }) => name),
      ["first_token"],
    );
    isNear(root.events[0]!.at, children[4]!.start - root.start, "first token");
    assert.ok(Math.abs(root.start - Date.parse(String(line.time)) + root.duration) < 1000);
  });

  test("its attributes follow the semantic conventions, and show neither prompt nor output", async () => {
    const answer = await post(server, "/v1/chat/completions", {
      messages: [{ role: "user", content: "a secret prompt" }],
      max_tokens: 5,
      temperature: 0.5,
      top_p: 0.9,
      top_k: 20,
      presence_penalty: 1,
      seed: -3,
      stop: ["never"],
      n: 2,
      ignore_eos: true,
    });
    const { id, model: name, usage } = await read(answer);
    const requestId = answer.headers.get("x-request-id");
    const { attributes, resource } = await receiver.span(
      ({ attributes: { "gen_ai.response.id": one } }) => one === id,
    );
    const { "server.port": port, "user_agent.original": agent, ...others } = attributes;
    assert.deepEqual([port, typeof agent], [server.port, "string"]);
    assert.deepEqual(others, {
      "http.request.method": "POST",
      "http.response.header.x-request-id": [requestId],
      "http.response.status_code": 200,
      "http.route": "/v1/chat/completions",
      "url.path": "/v1/chat/completions",
      "url.scheme": "http",
      "server.address": "127.0.0.1",
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "jai",
      "gen_ai.request.model": name,
      "gen_ai.request.max_tokens": 5,
      "gen_ai.request.choice.count": 2,
      "gen_ai.request.temperature": 0.5,
      "gen_ai.request.top_p": 0.9,
      "gen_ai.request.top_k": 20,
      "gen_ai.request.presence_penalty": 1,
      "gen_ai.request.seed": -3,
      "gen_ai.request.stop_sequences": ["never", "[/ANSWER]"],
      "gen_ai.response.id": id,
      "gen_ai.response.model": name,
      "gen_ai.response.finish_reasons": ["length", "length"],
      "gen_ai.usage.input_tokens": usage.prompt_tokens,
      "gen_ai.usage.output_tokens": 10,
      "gen_ai.usage.cache_read.input_tokens": others["gen_ai.usage.cache_read.input_tokens"],
      "jai.priority": 0,
    });
    assert.deepEqual([resource["service.name"], resource["deployment.environment.name"]], ["my-gpt", "test"]);
    assert.ok(receiver.headers.every((headers) => headers["x-team"] === "a b"));
    assert.ok(receiver.headers.every((headers) => headers["content-encoding"] === "gzip"));
    assert.ok(receiver.headers.every((headers) => headers[":path"] === "/v1/traces"));
    assert.doesNotMatch(JSON.stringify(receiver.spans), /secret/);
  });

  test("goes on with its client's trace, and keeps that trace's state", async () => {
    const traceparent = `00-${trace1}-${parent1}-01`;
    const answer = await post(server, "/generate", body, { traceparent, tracestate: "vendor=1,other=2" });
    const [, traceId, spanId] = answer.headers.get("traceresponse")!.split("-");
    assert.equal(traceId, trace1);
    const span = await receiver.span((one) => one.spanId === spanId);
    assert.deepEqual([span.parentId, span.traceState], [parent1, "vendor=1,other=2"]);
    assert.ok(childrenOf(span).every((child) => child.traceId === trace1));
  });

  test("a trace that its client does not keep is not sent, but the log names it", async () => {
    const unkept = "a".repeat(32);
    const headers = { traceparent: `00-${unkept}-${parent1}-00` };
    const answer = await post(server, "/generate", body, headers);
    assert.match(answer.headers.get("traceresponse")!, new RegExp(`^00-${unkept}-[0-9a-f]{16}-00$`));
    assert.equal((await endOf(server, answer.headers.get("x-request-id")!)).trace_id, unkept);
    const next = (await post(server, "/generate", body)).headers.get("traceresponse")!.split("-");
    await receiver.span(({ spanId }) => spanId === next[2]);
    assert.ok(receiver.spans.every(({ traceId }) => traceId !== unkept));
  });

  test("a malformed traceparent begins a new trace", async () => {
    for (const traceparent of ["x", `00-${"0".repeat(32)}-${parent1}-01`, `ff-${trace1}-${parent1}-01`]) {
      const answer = await post(server, "/generate", body, { traceparent });
      const [, traceId, spanId] = answer.headers.get("traceresponse")!.split("-");
      assert.notEqual(traceId, trace1);
      assert.equal((await receiver.span((span) => span.spanId === spanId)).parentId, "");
    }
  });

  test("a refused request has its error's code, and is no error of the server", async () => {
    const answer = await post(server, "/generate", { prompt: "x", max_tokens: "many" });
    assert.equal(answer.status, 422);
    const spanId = answer.headers.get("traceresponse")!.split("-")[2];
    const { name, attributes, status } = await receiver.span((span) => span.spanId === spanId);
    assert.deepEqual(
      [name, attributes["error.type"], attributes["http.response.status_code"], status.code],
      ["POST /generate", "invalid_body", 422, 0],
    );
    const unknown = await fetch(`http://127.0.0.1:${server.port}/nothing/here`, { method: "DELETE" });
    const other = unknown.headers.get("traceresponse")!.split("-")[2];
    assert.equal((await receiver.span((span) => span.spanId === other)).name, "DELETE");
  });

  test("a replayed answer has a trace of its own", async () => {
    const key = { "idempotency-key": "traced" };
    const [first, second] = [
      await post(server, "/generate", body, key),
      await post(server, "/generate", body, key),
    ];
    assert.equal(second.headers.get("idempotent-replayed"), "true");
    const parts = [first, second].map(({ headers }) => headers.get("traceresponse")!.split("-"));
    assert.notEqual(parts[0]![1], parts[1]![1]);
    const span = await receiver.span(({ spanId }) => spanId === parts[1]![2]);
    assert.equal(span.attributes["jai.replayed"], true);
  });

  test("a job's run and its callback are parts of the trace of the request that created it", async () => {
    const called = createServer().listen(0, "127.0.0.1");
    await once(called, "listening");
    const headers = new Promise<IncomingHttpHeaders>((resolve) => {
      called.on("request", (req, res) => {
        res.end();
        resolve(req.headers);
      });
    });
    const callback_url = `http://127.0.0.1:${(called.address() as AddressInfo).port}/`;
    const traceparent = `00-${trace1}-${parent1}-01`;
    const job = { ...body, callback_url };
    const answer = await post(server, "/jobs", job, { traceparent, tracestate: "vendor=1" });
    const { id } = await read(answer);
    const created = answer.headers.get("traceresponse");
    const run = await receiver.span(({ attributes }) => attributes["jai.job.id"] === id);
    assert.deepEqual(
      [run.name, run.kind, run.traceId, run.parentId, run.traceState],
      ["job /generate", 5, trace1, created!.split("-")[2], "vendor=1"],
    );
    assert.deepEqual(
      childrenOf(run).map(({ name }) => name),
      [...PHASES.slice(0, -1), "store"],
    );
    assert.equal((await endOf(server, id)).trace_id, trace1);
    const { traceparent: out, tracestate } = await headers;
    assert.deepEqual([out, tracestate], [created, "vendor=1"]);
    called.close();
  });
});

test("without its variables nothing is traced, and no header says otherwise", async () => {
  const server = await start({});
  const answer = await post(server, "/generate", body, { traceparent: `00-${trace1}-${parent1}-01` });
  assert.equal(answer.headers.get("traceresponse"), null);
  assert.equal((await endOf(server, answer.headers.get("x-request-id")!)).trace_id, undefined);
  assert.doesNotMatch((await server.stop()).output, /tracing: /);
});

test("a share of 0 sends nothing but what clients keep themselves", async () => {
  const receiver = await Receiver.open();
  const server = await start({
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/mine`,
    OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
    OTEL_TRACES_SAMPLER_ARG: "0",
  });
  const answer = await post(server, "/generate", body);
  assert.equal(answer.headers.get("traceresponse"), null);
  assert.equal((await endOf(server, answer.headers.get("x-request-id")!)).trace_id, undefined);
  await post(server, "/generate", body, { traceparent: `00-${trace1}-${parent1}-01` });
  await server.stop();
  assert.equal(receiver.spans.length, 1 + PHASES.length);
  assert.ok(receiver.spans.every(({ traceId }) => traceId === trace1));
  assert.equal(receiver.headers[0]![":path"], "/mine");
  receiver.close();
});

test("prompts and outputs are sent when asked for, and a stop sends what is left", async () => {
  const receiver = await Receiver.open();
  const server = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: "true",
    // Longer than the test: only the stop sends.
    OTEL_BSP_SCHEDULE_DELAY: "600000",
  });
  const { generated } = await read(await post(server, "/generate", body));
  const { code } = await server.stop();
  assert.equal(code, 0);
  const { attributes } = receiver.spans.find(({ name }) => name === "POST /generate")!;
  assert.deepEqual(JSON.parse(String(attributes["gen_ai.input.messages"])), [
    { role: "user", parts: [{ type: "text", content: body.prompt }] },
  ]);
  assert.deepEqual(JSON.parse(String(attributes["gen_ai.output.messages"])), [
    { role: "assistant", parts: [{ type: "text", content: generated }], finish_reason: "length" },
  ]);
  receiver.close();
});

test("a collector that is down costs a line, and neither answers nor the stop", async () => {
  const receiver = await Receiver.open();
  const { url } = receiver;
  receiver.close();
  const server = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_TIMEOUT: "100" });
  for (let n = 0; n < 5; n++) assert.equal((await post(server, "/generate", body)).status, 200);
  while (!server.output.includes("could not be sent")) await turn();
  for (let n = 0; n < 5; n++) assert.equal((await post(server, "/generate", body)).status, 200);
  const { code, output } = await server.stop();
  assert.equal(code, 0);
  const lost = output.split("\n").filter((line) => line.includes("could not be sent"));
  assert.equal(lost.length, 1);
  assert.match(
    lost[0]!,
    /WARNING.*tracing: \d+ spans could not be sent to http:\S+\/v1\/traces: .*ECONNREFUSED/,
  );
});

test("a collector that never answers does not hold up the stop", async () => {
  const silent = createTcpServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as AddressInfo;
  const server = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
  const connected = once(silent, "connection");
  await post(server, "/generate", body);
  await connected;
  assert.equal((await server.stop()).code, 0);
  silent.close();
});

test("an unsupported value is one line, and the server serves", async () => {
  const server = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4317",
    OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
  });
  assert.equal((await post(server, "/generate", body)).status, 200);
  const lines = (await server.stop()).output.split("\n").filter((line) => line.includes("tracing: "));
  assert.equal(lines.length, 1);
  assert.equal(
    JSON.parse(lines[0]!).message,
    'tracing: OTEL_EXPORTER_OTLP_PROTOCOL: expected http/protobuf, mostly at port 4318, got "grpc": no spans are sent; see docs/tracing.md',
  );
});

test("spans go to standard output for OTEL_TRACES_EXPORTER=console", async () => {
  const server = await start({ OTEL_TRACES_EXPORTER: "console" });
  const answer = await post(server, "/generate", body);
  const traceId = answer.headers.get("traceresponse")!.split("-")[1]!;
  assert.ok((await server.stop()).output.includes(`traceId: '${traceId}'`));
});

test("a server of the library is traced too, and registers nothing for the whole process", async (context) => {
  const receiver = await Receiver.open();
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = receiver.url;
  context.after(() => {
    delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
    receiver.close();
  });
  const server = await openServer({
    model,
    port: 0,
    dataDir: join(folder, "data"),
    concurrency: 2,
    threads: 1,
  });
  const url = await server.listen();
  await server.ready;
  await fetch(`${url}/generate`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  await server.close();
  assert.ok(receiver.spans.some(({ name }) => name === "POST /generate"));
  assert.equal(trace.getTracer("other").startSpan("x").isRecording(), false);
});
