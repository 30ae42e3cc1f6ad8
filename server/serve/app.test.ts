import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
import { PLAIN_SAMPLING } from "../../workers/engine/sampling/sampling.js";
import { errors, invalidGrammar } from "../errors/errors.js";
import { serveStandIn } from "../fixtures/stand-in.js";
import { Callers } from "../keys/callers.js";
import { GenerationFailed, WorkerLost } from "../pool/pool.js";
import { hashKey, unlimited } from "../settings/key.js";

// biome-ignore lint/suspicious/noExplicitAny: the assertions say what it is
const read = (response: Response): Promise<any> => response.json();
const json = { "content-type": "application/json" };

test("the replaced FastAPI server's fields are answered in the same way", async (context) => {
  const { post } = await serveStandIn(context);
  const response = await post("/generate", { prompt: "안녕", max_tokens: 2, temperature: 0.8, top_k: 50 });
  assert.equal(response.status, 200);
  const { id, seed, ...rest } = await read(response);
  assert.deepEqual(rest, {
    prompt: "안녕",
    generated: "!!",
    full_text: "prompt!!",
    finish_reason: "length",
    usage: {
      prompt_tokens: 2,
      completion_tokens: 2,
      total_tokens: 4,
      prompt_tokens_details: { cached_tokens: 1 },
      completion_tokens_details: { accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
    },
  });
  assert.equal(response.headers.get("x-request-id"), id);
  assert.ok(Number.isSafeInteger(seed));
});

test("a bare prompt gets the defaults", async (context) => {
  const { post, jobs } = await serveStandIn(context);
  await post("/generate", { prompt: "x" });
  const { id, onRead: _, ...task } = jobs[0]!.task;
  assert.deepEqual(task, {
    promptIds: [120],
    maxTokens: 256,
    minTokens: 0,
    sampling: { ...PLAIN_SAMPLING, temperature: 0.8, topK: 50, seed: task.sampling.seed },
    logprobs: null,
    promptLogprobs: false,
    grammar: null,
    stop: [],
    ignoreEos: false,
  });
});

test("a default stays within the server's limit", async (context) => {
  const { post, jobs } = await serveStandIn(context, { maxTokens: 10 });
  assert.equal((await post("/generate", { prompt: "x" })).status, 200);
  assert.equal(jobs[0]!.task.maxTokens, 10);
});

test("/chat puts the prompt into the chat template, returns it, and stops at the template's terminator", async (context) => {
  const { post, jobs } = await serveStandIn(context);
  const { prompt } = await read(await post("/chat", { prompt: "판교?" }));
  assert.equal(prompt, "[QUESTION]\n판교?\n[/QUESTION]\n\n[ANSWER]\n");
  assert.deepEqual(jobs[0]!.task.stop, ["[/ANSWER]"]);
});

test("stop is a text or a list; an empty list turns the terminator off", async (context) => {
  const { post, jobs } = await serveStandIn(context);
  for (const [path, stop] of [
    ["/chat", []],
    ["/chat", "x"],
    ["/generate", "\n"],
    ["/generate", ["a", "b"]],
  ] as const) {
    await post(path, { prompt: "x", stop });
    assert.deepEqual(jobs.at(-1)!.task.stop, [stop].flat());
  }
});

test("a seed is split into two halves and sent back; without one every request gets its own", async (context) => {
  const { post, jobs } = await serveStandIn(context);
  const seedOf = async (body: object) => (await read(await post("/generate", { prompt: "x", ...body }))).seed;
  for (const [seed, low, high] of [
    [0, 0, 0],
    [7, 7, 0],
    [2 ** 32 + 5, 5, 1],
    [2 ** 53 - 1, 2 ** 32 - 1, 2 ** 21 - 1],
    [-1, 2 ** 32 - 1, 2 ** 32 - 1],
  ] as const) {
    assert.equal(await seedOf({ seed }), seed);
    assert.deepEqual(jobs.at(-1)!.task.sampling.seed, [low, high]);
  }
  const random = await seedOf({});
  const [low, high] = jobs.at(-1)!.task.sampling.seed;
  assert.equal(high * 2 ** 32 + low, random);
  assert.notEqual(await seedOf({}), random);
});

test("numbers may be written as texts, and integers as floats", async (context) => {
  const { post, jobs } = await serveStandIn(context);
  const body = '{"prompt":"x","max_tokens":"5","temperature":" 0.5 ","top_k":3.0,"seed":"-9.0"}';
  assert.equal((await post("/generate", body)).status, 200);
  const { maxTokens, sampling } = jobs[0]!.task;
  const { temperature, topK, seed } = sampling;
  assert.deepEqual([maxTokens, temperature, topK, seed[0]], [5, 0.5, 3, 2 ** 32 - 9]);
});

test("values at the ends of their ranges are accepted", async (context) => {
  const { post } = await serveStandIn(context, { maxPromptChars: 3 });
  for (const body of [
    { prompt: "😀😀😀", max_tokens: 1, temperature: 0, top_k: 0 },
    {
      prompt: "x",
      max_tokens: 4096,
      temperature: 1e300,
      top_k: 1e9,
      stop: Array(16).fill("x"),
      ignore_eos: true,
    },
  ]) {
    assert.equal((await post("/generate", body)).status, 200);
  }
});

test("unknown fields are ignored, even __proto__, and the last of two equal fields counts", async (context) => {
  const { post, jobs } = await serveStandIn(context);
  const body =
    '{"prompt":"x","__proto__":{"max_tokens":1},"constructor":1,"nothing":[{}],"top_k":1,"top_k":2}';
  assert.equal((await post("/generate", body)).status, 200);
  assert.equal(jobs[0]!.task.maxTokens, 256);
  assert.equal(jobs[0]!.task.sampling.topK, 2);
  assert.equal(({} as Record<string, unknown>).max_tokens, undefined);
});

test("lone surrogates become U+FFFD, and NUL stays", async (context) => {
  const { post, jobs } = await serveStandIn(context);
  const response = await post("/generate", '{"prompt":"a\\ud800b\\u0000c","stop":"\\udc00"}');
  const { prompt } = await read(response);
  assert.equal(prompt, "a\ufffdb\0c");
  assert.deepEqual(jobs[0]!.task.stop, ["\ufffd"]);
});

for (const type of [
  "application/json",
  "application/json; charset=utf-8",
  "Application/JSON;charset=UTF-8",
  'application/json; charset="utf-8"',
  "application/vnd.api+json",
  undefined,
]) {
  test(`a body of type ${type} is read as JSON`, async (context) => {
    // Only a server with keys takes a body without a type: any page may send one across sites.
    const key = { name: "a", hash: hashKey("one"), priority: 0, limits: unlimited };
    const { port } = await serveStandIn(context, type === undefined ? { callers: new Callers([key]) } : {});
    const body = '{"prompt":"x"}';
    const head = `POST /generate HTTP/1.1\r\nHost: x\r\nX-API-Key: one\r\nConnection: close\r\nContent-Length: ${body.length}\r\n`;
    const socket = connect(port, "127.0.0.1");
    socket.write(`${head}${type === undefined ? "" : `Content-Type: ${type}\r\n`}\r\n${body}`);
    const [answer] = (await once(socket, "data")) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 200 /);
    socket.destroy();
  });
}

test("a path with a trailing slash redirects, and a client that follows is answered", async (context) => {
  const { url } = await serveStandIn(context);
  const init = { method: "POST", headers: json, body: '{"prompt":"x"}' };
  const redirected = await fetch(`${url}/generate/?a=b`, { ...init, redirect: "manual" });
  assert.equal(redirected.status, 307);
  assert.equal(redirected.headers.get("location"), "/generate?a=b");
  assert.equal((await fetch(`${url}/generate/`, init)).status, 200);
  assert.equal((await fetch(`${url}//evil.example/`, { redirect: "manual" })).status, 404);
});

test("a fragment in the target is ignored", async (context) => {
  const { port } = await serveStandIn(context);
  const body = '{"prompt":"x"}';
  const socket = connect(port, "127.0.0.1");
  socket.write(
    `POST /generate#x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  const [answer] = (await once(socket, "data")) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 200 /);
  socket.destroy();
});

test("HEAD answers like GET without a body, OPTIONS lists the methods, a query is ignored", async (context) => {
  const { url } = await serveStandIn(context);
  const head = await fetch(`${url}/health`, { method: "HEAD" });
  assert.deepEqual([head.status, await head.text()], [200, ""]);
  const options = await fetch(`${url}/generate`, { method: "OPTIONS" });
  assert.deepEqual([options.status, options.headers.get("allow")], [204, "POST, OPTIONS"]);
  assert.equal((await fetch(`${url}/health?now=1`)).status, 200);
});

test("/ and /health report the state", async (context) => {
  const startedAt = performance.now() - 90_000;
  const { url, post, queue, jobs, until } = await serveStandIn(context, { hold: true, slots: 1, startedAt });
  assert.deepEqual(await read(await fetch(`${url}/`)), { status: "ok", message: "jai-server is running" });
  const health = async () => await read(await fetch(`${url}/health`));
  const { uptime_seconds, version, ...rest } = await health();
  assert.deepEqual(rest, {
    status: "healthy",
    model_loaded: true,
    device: "cpu",
    model: { name: "stand-in", precision: "int8", context: 64, vocabulary: 100, chat_template: true },
    concurrency: 1,
    workers: 1,
    threads: 2,
    reasons: ["device cpu: a test"],
    self_test: { verdict: "passed", message: "self-test passed" },
    queue: { waiting: 0, running: 0, limit: 4 },
    store: { writable: true },
    worker_states: { loaded: 1, stalled: 0, deaths: 0, failed_starts: 0 },
    reruns: { tasks: 0, failed: 0 },
    memory: { rss: 3e8, budget: 1e9, container_free: null, limited: false, replaced_workers: 0 },
  });
  assert.ok(uptime_seconds >= 90 && uptime_seconds <= (performance.now() - startedAt) / 1000);
  const answer = post("/generate", { prompt: "x" });
  await until(() => jobs.length === 1);
  assert.deepEqual((await health()).queue, { waiting: 0, running: 1, limit: 4 });
  void queue.drain();
  assert.equal((await health()).status, "draining");
  jobs[0]!.finish();
  assert.equal((await answer).status, 200);
});

test("/health and /ready tell the state that the workers are in; /live always answers", async (context) => {
  const vitals = { workers: { loaded: 0, stalled: 0, deaths: 0, failed_starts: 0 } };
  let capacity = 4;
  const { url, queue } = await serveStandIn(context, {
    vitals,
    queue: { capacity: () => capacity },
    loading: true,
  });
  const state = async () => {
    const { status } = await read(await fetch(`${url}/health`));
    const ready = await fetch(`${url}/ready`);
    assert.equal((await fetch(`${url}/live`)).status, 200);
    assert.equal(ready.headers.has("retry-after"), ready.status === 503);
    const { detail } = await read(ready);
    return [status, ready.status, ...(detail ? [detail] : [])];
  };
  assert.deepEqual(await state(), ["loading", 503, errors.model_loading.detail]);
  queue.open();
  vitals.workers = { loaded: 2, stalled: 0, deaths: 0, failed_starts: 0 };
  assert.deepEqual(await state(), ["healthy", 200]);
  vitals.workers = { loaded: 2, stalled: 1, deaths: 0, failed_starts: 0 };
  assert.deepEqual(await state(), ["degraded", 200]);
  vitals.workers = { loaded: 2, stalled: 2, deaths: 0, failed_starts: 0 };
  assert.deepEqual(await state(), ["unhealthy", 503, errors.not_ready.detail]);
  vitals.workers = { loaded: 0, stalled: 0, deaths: 2, failed_starts: 0 };
  capacity = 0;
  assert.deepEqual(await state(), ["unhealthy", 503, errors.not_ready.detail]);
  void queue.drain();
  assert.deepEqual(await state(), ["draining", 503, errors.shutting_down.detail]);
});

test("while the model loads, /health says so and /generate answers 503 with Retry-After", async (context) => {
  const { url, post, queue } = await serveStandIn(context, { loading: true });
  const health = await fetch(`${url}/health`);
  assert.equal(health.status, 200);
  assert.equal((await read(health)).model_loaded, false);
  for (const path of ["/generate", "/chat"]) {
    const response = await post(path, { prompt: "x" });
    assert.equal(response.status, 503);
    assert.match(response.headers.get("retry-after")!, /^[1-9]\d*$/);
    assert.deepEqual(await read(response), { detail: "The model is loading" });
  }
  queue.open();
  assert.equal((await post("/generate", { prompt: "x" })).status, 200);
});

test("while the only worker is being replaced, /health has no model, and requests wait", async (context) => {
  let capacity = 0;
  const { url, post, queue } = await serveStandIn(context, { queue: { capacity: () => capacity } });
  const loaded = async () => (await read(await fetch(`${url}/health`))).model_loaded;
  const answer = post("/generate", { prompt: "x" });
  while (queue.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await loaded(), false);
  capacity = 4;
  queue.dispatch();
  assert.equal((await answer).status, 200);
  assert.equal(await loaded(), true);
});

test("beyond the slots and the queue's limit: 503 with Retry-After; admitted requests are answered", async (context) => {
  const { post, jobs, queue, until } = await serveStandIn(context, { hold: true, slots: 1, limit: 1 });
  const first = post("/generate", { prompt: "x" });
  await until(() => jobs.length === 1);
  const second = post("/generate", { prompt: "x" });
  while (queue.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
  const third = await post("/generate", { prompt: "x" });
  assert.equal(third.status, 503);
  assert.match(third.headers.get("retry-after")!, /^[1-9]\d*$/);
  assert.deepEqual(await read(third), { detail: "The queue is full" });
  jobs[0]!.finish();
  await until(() => jobs.length === 2);
  jobs[1]!.finish();
  assert.deepEqual([(await first).status, (await second).status], [200, 200]);
});

test("draining: new requests get 503, and so do those cut off by the end of the drain", async (context) => {
  const { post, jobs, queue, until } = await serveStandIn(context, { hold: true, slots: 1 });
  const running = post("/generate", { prompt: "x" });
  await until(() => jobs.length === 1);
  const waiting = post("/generate", { prompt: "x" });
  while (queue.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
  const drained = queue.drain();
  const late = await post("/generate", { prompt: "x" });
  assert.deepEqual([late.status, await read(late)], [503, { detail: "The server is shutting down" }]);
  queue.clear();
  for (const response of [await running, await waiting]) {
    assert.equal(response.status, 503);
    assert.ok(response.headers.get("retry-after"));
  }
  await drained;
});

test("a form that turns out too hard during the generation is a 400", async (context) => {
  const { post, jobs, until } = await serveStandIn(context, { hold: true });
  const answer = post("/generate", { prompt: "x", regex: "[ab]+" });
  await until(() => jobs.length > 0);
  jobs[0]!.fail(invalidGrammar("expected less"));
  const response = await answer;
  const { invalid_grammar } = errors;
  assert.deepEqual(
    [response.status, await read(response)],
    [invalid_grammar.status, { detail: `${invalid_grammar.detail}: expected less` }],
  );
});

test("a lost worker and a failed generation are 500 without inner details", async (context) => {
  const { post, jobs, lines, until } = await serveStandIn(context, { hold: true });
  for (const [error, detail] of [
    [new WorkerLost("secret"), "The worker that ran this request was lost"],
    [new GenerationFailed("secret"), "The generation failed"],
    [new Error("secret"), "Internal Server Error"],
  ] as const) {
    const before = jobs.length;
    const answer = post("/generate", { prompt: "x" });
    await until(() => jobs.length > before);
    jobs.at(-1)!.fail(error);
    const response = await answer;
    assert.deepEqual([response.status, await read(response)], [500, { detail }]);
  }
  assert.ok(
    lines.some((line) => line.includes("secret")),
    "but the log has the details",
  );
});

for (const state of ["runs", "waits"] as const) {
  test(`a client that leaves while its request ${state} cancels only that request`, async (context) => {
    const { url, post, jobs, queue, until } = await serveStandIn(context, {
      hold: true,
      slots: state === "runs" ? 2 : 1,
    });
    const neighbour = post("/generate", { prompt: "neighbour" });
    await until(() => jobs.length === 1);
    const leaving = request(`${url}/generate`, { method: "POST", headers: json });
    leaving.on("error", () => {});
    leaving.end('{"prompt":"leaving"}');
    while (queue.running + queue.waiting < 2) await new Promise((resolve) => setImmediate(resolve));
    leaving.destroy();
    while (queue.running + queue.waiting > 1) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(jobs.length, state === "runs" ? 2 : 1);
    assert.equal(jobs[1]?.cancelled ?? true, true);
    assert.equal(jobs[0]!.cancelled, false);
    jobs[0]!.finish();
    assert.equal((await neighbour).status, 200);
  });
}

test("a pipelined request is cancelled with its connection, even before its turn to be answered", async (context) => {
  const { port, jobs, until } = await serveStandIn(context, { hold: true });
  const body = '{"prompt":"x"}';
  const one = `POST /generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const socket = connect(port, "127.0.0.1");
  socket.write(one + one);
  await until(() => jobs.length === 2);
  socket.destroy();
  await until(() => jobs.every(({ cancelled }) => cancelled));
});

test("many pipelined requests cause no warning", async (context) => {
  const { port, jobs, queue, until } = await serveStandIn(context, { hold: true, limit: 20 });
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on("warning", note);
  context.after(() => process.off("warning", note));
  const body = '{"prompt":"x","max_tokens":1}';
  const one = `POST /generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const socket = connect(port, "127.0.0.1");
  socket.write(one.repeat(20));
  let answers = "";
  socket.on("data", (data) => {
    answers += data;
  });
  while (queue.running + queue.waiting < 20) await new Promise((resolve) => setImmediate(resolve));
  for (let n = 0; n < 20; n++) {
    await until(() => jobs.length > n);
    jobs[n]!.finish();
  }
  while (answers.split("HTTP/1.1 200 ").length <= 20) await once(socket, "data");
  socket.destroy();
  assert.deepEqual(warnings, []);
});

test("a connection serves many requests, and its end cancels none of the answered ones", async (context) => {
  const { port, queue } = await serveStandIn(context);
  const body = '{"prompt":"x","max_tokens":1}';
  const one = `POST /generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const socket = connect(port, "127.0.0.1");
  for (let n = 0; n < 20; n++) {
    socket.write(one);
    await once(socket, "data");
  }
  socket.destroy();
  assert.deepEqual([queue.running, queue.waiting], [0, 0]);
});

test("the log has one line at a request's end, with its tokens, times and first 50 characters", async (context) => {
  const { post, lines } = await serveStandIn(context);
  const { id } = await read(await post("/generate", { prompt: `a\n${"b".repeat(60)}`, max_tokens: 3 }));
  const quote = `a\\n${"b".repeat(48)}…`;
  assert.equal(lines[0], `${id} - /generate: ${quote}`);
  const times = "queued \\d+ ms, first token after \\d+ ms, \\d+\\.\\d ms a token, ran \\d+ ms";
  const end = new RegExp(
    `^${id} - POST /generate: 200, 62 \\+ 3 tokens \\(1 cached\\), length, ${times}: (.*)$`,
  );
  assert.equal(end.exec(lines[1]!)?.[1], quote);
});

test("/openapi.json is the document, with this server's limits", async (context) => {
  const { url } = await serveStandIn(context, { maxTokens: 7, maxPromptChars: 9 });
  const document = await read(await fetch(`${url}/openapi.json`));
  const { prompt, max_tokens } = document.components.schemas.GenerationRequest.properties;
  assert.deepEqual([prompt.maxLength, max_tokens.maximum], [9, 7]);
  assert.ok(document.components.responses.Unavailable.content["application/json"].examples.queue_full);
});

for (const page of ["/docs", "/redoc"]) {
  test(`${page} and all its assets come from this server`, async (context) => {
    const { url } = await serveStandIn(context);
    const response = await fetch(url + page, { redirect: "manual" });
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-security-policy")!, /default-src 'self'/);
    const html = await response.text();
    const links = [...html.matchAll(/(?:src|href|spec-url)="([^"]+)"/g)].map(([, link]) => link!);
    assert.ok(links.length > 1);
    for (const link of links.filter((link) => !link.startsWith("data:"))) {
      const asset = new URL(link, url + page);
      assert.equal(asset.origin, url);
      assert.equal((await fetch(asset)).status, 200, link);
    }
  });
}

test("a page has one address: with a trailing slash it redirects", async (context) => {
  const { url } = await serveStandIn(context);
  for (const page of ["/docs", "/redoc"]) {
    const direct = await fetch(url + page, { redirect: "manual" });
    assert.equal(direct.status, 200);
    const redirected = await fetch(`${url}${page}/`, { redirect: "manual" });
    assert.deepEqual([redirected.status, redirected.headers.get("location")], [307, page]);
  }
});
