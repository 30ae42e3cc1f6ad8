import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventParser, readEvents } from "../fixtures/documented-events.js";
import { serveStandIn } from "../fixtures/stand-in.js";
import { GenerationFailed, Pool, WorkerLost } from "../pool/pool.js";

const turn = () => new Promise((resolve) => setImmediate(resolve));

for (const path of ["/generate", "/chat"]) {
  test(`${path} streams the text as it is generated, and ends with the whole answer`, async (context) => {
    const { post, jobs, until, document } = await serveStandIn(context, { hold: true });
    const body = { prompt: "안녕", max_tokens: 4, seed: 7, stream: true };
    const asked = post(path, body);
    await until(() => jobs.length === 1);
    const response = await asked;
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
    assert.equal(response.headers.get("cache-control"), "no-cache, no-transform");
    assert.equal(response.headers.get("x-accel-buffering"), "no");
    assert.equal(response.headers.get("x-queue-position"), "0");
    assert.equal(response.headers.get("x-queue-time"), "0.000");
    jobs[0]!.say("!!", 2);
    await turn();
    jobs[0]!.say("!", 1);
    await turn();
    jobs[0]!.finish();
    const events = await readEvents(response, document);
    const plain = post(path, { ...body, stream: false });
    await until(() => jobs.length === 2);
    jobs[1]!.finish();
    const { id, ...whole } = (await (await plain).json()) as { id: string };
    assert.deepEqual(events, [
      { event: "message", data: { text: "!!", tokens: 2 } },
      { event: "message", data: { text: "!", tokens: 1 } },
      { event: "message", data: { text: "!", tokens: 1 } },
      { event: "done", data: { ...whole, id: response.headers.get("x-request-id") } },
    ]);
    assert.equal(jobs[1]!.task.onText, undefined, "a request without a stream needs no text pieces");
  });
}

test("stream must be a boolean", async (context) => {
  const { post } = await serveStandIn(context);
  for (const stream of ["true", 1, null]) {
    const response = await post("/generate", { prompt: "x", stream });
    assert.equal(response.status, 422);
    assert.match(response.headers.get("content-type")!, /^application\/json/);
  }
});

test("an error before the stream begins is an ordinary answer", async (context) => {
  const { post, queue } = await serveStandIn(context, { loading: true, slots: 0, limit: 0 });
  const stream = true;
  const statusOf = async (body: object) => {
    const response = await post("/generate", { ...body, stream });
    const { detail } = (await response.json()) as { detail: unknown };
    return [response.status, typeof detail === "string" ? detail : "fields"];
  };
  assert.deepEqual(await statusOf({ prompt: "x" }), [503, "The model is loading"]);
  queue.open();
  assert.deepEqual(await statusOf({ prompt: "x" }), [503, "The queue is full"]);
  assert.deepEqual(await statusOf({}), [422, "fields"]);
  void queue.drain();
  assert.deepEqual(await statusOf({ prompt: "x" }), [503, "The server is shutting down"]);
});

test("a prompt without tokens is refused before the stream begins", async (context) => {
  const { post } = await serveStandIn(context);
  assert.equal((await post("/generate", { prompt: " ", stream: true })).status, 422);
});

for (const [error, detail] of [
  [new WorkerLost("secret"), "The worker that ran this request was lost"],
  [new GenerationFailed("secret"), "The generation failed"],
  [new Error("secret"), "Internal Server Error"],
] as const) {
  test(`a stream that fails midway ends with an error event: ${detail}`, async (context) => {
    const { post, jobs, until, document } = await serveStandIn(context, { hold: true });
    const asked = post("/generate", { prompt: "x", stream: true });
    await until(() => jobs.length === 1);
    jobs[0]!.say("half", 1);
    await turn();
    jobs[0]!.fail(error);
    assert.deepEqual(await readEvents(await asked, document), [
      { event: "message", data: { text: "half", tokens: 1 } },
      { event: "error", data: { detail } },
    ]);
  });
}

test("a worker that dies midway gives each of its streams an error event", async (context) => {
  const pool = new Pool({
    filename: fileURLToPath(new URL("../fixtures/scripted-worker.js", import.meta.url)),
    setup: {
      modelDir: "ready",
      prepared: null,
      device: "cpu",
      deviceIds: [0],
      slots: 4,
      threads: 1,
      keptPrefixes: 1,
      threadsAlone: 1,
      contextStride: 1,
      speculation: false,
    },
    context: 256,
  });
  context.after(() => pool.close());
  await pool.ready;
  const script = ["write-1", "write-2", "crash"];
  const { post, document } = await serveStandIn(context, {
    queue: { start: (task) => pool.run({ ...task, id: script.shift()! }) },
  });
  const streams = [];
  for (let n = 0; n < 2; n++) streams.push(await post("/generate", { prompt: "x", stream: true }));
  const lost = "The worker that ran this request was lost";
  const crash = await post("/generate", { prompt: "x" });
  assert.deepEqual([crash.status, await crash.json()], [500, { detail: lost }]);
  for (const response of streams)
    assert.deepEqual((await readEvents(response, document)).at(-1), {
      event: "error",
      data: { detail: lost },
    });
});

test("the end of a drain gives waiting and running streams an error event", async (context) => {
  const { post, jobs, queue, until, document } = await serveStandIn(context, { hold: true, slots: 1 });
  const running = post("/generate", { prompt: "x", stream: true });
  await until(() => jobs.length === 1);
  const waiting = post("/generate", { prompt: "x", stream: true });
  while (queue.waiting === 0) await turn();
  const drained = queue.drain();
  queue.clear();
  await drained;
  for (const response of [await running, await waiting])
    assert.deepEqual((await readEvents(response, document)).at(-1), {
      event: "error",
      data: { detail: "The server is shutting down" },
    });
});

test("a waiting stream gets its position when it changes, and comments while it doesn't", async (context) => {
  let clock = 0;
  const timers: (() => void)[] = [];
  const beats = new Set<() => void>();
  const { post, jobs, queue, until, document } = await serveStandIn(context, {
    hold: true,
    slots: 1,
    queue: {
      clock: {
        now: () => clock,
        after: (_ms, callback) => {
          timers.push(callback);
          return () => {};
        },
      },
    },
    streams: {
      every: (_ms, callback) => {
        beats.add(callback);
        return () => beats.delete(callback);
      },
    },
  });
  const first = post("/generate", { prompt: "x", max_tokens: 1 });
  await until(() => jobs.length === 1);
  const second = post("/generate", { prompt: "x", max_tokens: 1 });
  while (queue.waiting < 1) await turn();
  const response = await post("/generate", { prompt: "x", max_tokens: 1, stream: true });
  for (let n = 0; n < 3; n++) for (const beat of beats) beat();
  jobs[0]!.finish();
  await until(() => jobs.length === 2);
  clock += 1000;
  for (const timer of timers.splice(0)) timer();
  jobs[1]!.finish();
  await until(() => jobs.length === 3);
  jobs[2]!.finish();
  const [forParsing, forComments] = response.body!.tee();
  const text = new Response(forComments).text();
  const events = await readEvents(new Response(forParsing), document);
  assert.deepEqual(
    events.map(({ event, data }) => [event, data.position]),
    [
      ["queue", 2],
      ["queue", 1],
      ["message", undefined],
      ["done", undefined],
    ],
  );
  assert.match(await text, /"position":2,.*\n\n: waiting\n\nevent: queue\ndata: \{"position":1,/);
  assert.equal(beats.size, 0);
  await Promise.all([first, second]);
});

for (const state of ["waits", "runs"] as const) {
  test(`a client that closes its stream while the request ${state} cancels it`, async (context) => {
    const { url, post, jobs, queue, until } = await serveStandIn(context, { hold: true, slots: 1 });
    const others = state === "waits" ? [post("/generate", { prompt: "neighbour" })] : [];
    await until(() => jobs.length === others.length);
    const leaving = new AbortController();
    const response = await fetch(`${url}/generate`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ prompt: "leaving", stream: true }),
      signal: leaving.signal,
    });
    const read = response.text().catch((error: Error) => error.name);
    leaving.abort();
    assert.equal(await read, "AbortError");
    while (queue.waiting + queue.running > others.length) await turn();
    assert.deepEqual(
      jobs.map(({ cancelled }) => cancelled),
      [state === "runs"],
    );
    // The worker may not know yet that the task was cancelled, and still send text.
    if (state === "runs") jobs[0]!.say("too late", 1);
    jobs[0]!.finish();
    for (const other of others) assert.equal((await other).status, 200);
  });
}

test("a connection serves streams and plain answers in turn", async (context) => {
  const { post, queue, document } = await serveStandIn(context);
  for (let n = 0; n < 5; n++) {
    const events = await readEvents(await post("/generate", { prompt: "x", stream: true }), document);
    assert.equal(events.at(-1)?.event, "done");
    assert.equal((await post("/generate", { prompt: "x" })).status, 200);
  }
  assert.deepEqual([queue.running, queue.waiting], [0, 0]);
});

test("the example events in openapi.yaml are valid and consistent", async (context) => {
  const { document } = await serveStandIn(context);
  const parse = eventParser(document);
  for (const path of ["/generate", "/chat"]) {
    const operation = document.paths[path]!.post as {
      responses: { "200": { content: Record<string, { example: { event?: string; data: string }[] }> } };
    };
    const { example } = operation.responses["200"].content["text/event-stream"]!;
    const events = example.map(({ event = "message", data }) => parse({ event, data }));
    assert.ok(["done", "error"].includes(events.at(-1)!.event));
    const done = events.at(-1)!.data;
    if (!done.usage) continue;
    const deltas = events.slice(0, -1).map(({ data }) => data);
    assert.equal(deltas.map(({ text }) => text).join(""), done.generated);
    assert.equal(
      deltas.reduce((sum, { tokens }) => sum + tokens, 0),
      done.usage.completion_tokens,
    );
  }
});
