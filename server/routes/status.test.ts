import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { EventReader, type ServerSentEvent } from "../../ops/server-sent-events.js";
import { namedCallers, namedKeys } from "../fixtures/named-callers.js";
import { type StandInOptions, serveStandIn } from "../fixtures/stand-in.js";

async function serve(context: TestContext, options: StandInOptions = {}) {
  const server = await serveStandIn(context, { hold: true, slots: 1, ...options });
  const headersOf = (name: string) => ({ authorization: `Bearer ${name}` });
  const status = async (name = "") =>
    (await fetch(`${server.url}/status`, { headers: headersOf(name) })).json() as Promise<Status>;
  /** Resolves when the request has a slot or waits for one; nobody reads its answer. */
  const generate = async (more: object, name = "") => {
    const { jobs, queue } = server;
    const taken = () => jobs.length + queue.waiting;
    const before = taken();
    const headers = { "content-type": "application/json", ...headersOf(name) };
    const body = JSON.stringify({ prompt: "abc", max_tokens: 2, ...more });
    fetch(`${server.url}/generate`, { method: "POST", headers, body }).catch(() => {});
    while (taken() === before) await new Promise((resolve) => setImmediate(resolve));
  };
  return { ...server, status, generate, headersOf };
}

interface Status {
  queue: { running: number; waiting: number; requests: { position: number; caller: string; own: boolean }[] };
  requests: Record<string, number>;
  cache: { prompt_tokens: number };
  latency_ms: { ttft: { p50: number | null }; queue: { p50: number | null } };
  workers: { state: string }[];
}

test("waiting requests are listed in their order, with the caller's name", async (context) => {
  const { status, generate } = await serve(context);
  assert.deepEqual((await status()).queue.requests, []);
  for (const more of [{}, { n: 2 }, { priority: 5 }]) await generate(more);
  let now = await status();
  while (now.queue.waiting < 3) now = await status();
  const { queue } = now;
  assert.deepEqual([queue.running, queue.waiting], [1, 3]);
  assert.deepEqual(
    queue.requests.map((one) => ({ ...one, expected_wait: 0, waited: 0 })),
    [
      { priority: 5, sequences: 1, position: 1 },
      { priority: 0, sequences: 2, position: 2 },
    ].map((one) => ({ ...one, expected_wait: 0, waited: 0, caller: "anonymous", own: true })),
  );
});

test("a caller with a key sees the place of others' requests, but not whose they are", async (context) => {
  const { status, generate } = await serve(context, { callers: namedCallers(["anna", "bert"]) });
  for (const name of ["anna", "anna", "bert"]) await generate({}, name);
  const seenBy = async (name: string) =>
    (await status(name)).queue.requests.map(({ caller, own }) => [caller, own]).sort();
  assert.deepEqual(
    await seenBy("anna"),
    [
      [null, false],
      ["anna", true],
    ].sort(),
  );
  assert.deepEqual(
    await seenBy("bert"),
    [
      [null, false],
      ["bert", true],
    ].sort(),
  );
});

test("counts and latencies are those of requests that ended, and probes are none", async (context) => {
  const { status, post, url, queue } = await serve(context, { hold: false });
  await (await post("/generate", { prompt: "abc", max_tokens: 2 })).text();
  // None of these asks for a generation.
  await (await post("/generate", { prompt: 5 })).text();
  await (await fetch(`${url}/generate`)).text();
  await (await fetch(`${url}/health`)).text();
  assert.equal((await status()).requests.refused, 0);
  await queue.drain();
  assert.equal((await post("/generate", { prompt: "abc", max_tokens: 2 })).status, 503);
  const { requests, cache, latency_ms } = await status();
  assert.deepEqual(requests, { ok: 1, refused: 1, failed: 0, cancelled: 0 });
  assert.equal(cache.prompt_tokens, 3);
  assert.ok(latency_ms.queue.p50! >= 0);
});

test("percentiles have the wait and the first token of a request that still runs", async (context) => {
  const { status, generate, jobs } = await serve(context);
  await generate({});
  assert.ok((await status()).latency_ms.queue.p50! >= 0);
  assert.equal((await status()).latency_ms.ttft.p50, null);
  jobs[0]!.read();
  assert.ok((await status()).latency_ms.ttft.p50! > 0);
});

test("the stream begins with the last minutes, goes on every second, and ends when the server stops", async (context) => {
  const { url, assembly } = await serve(context);
  const { live } = assembly.parts;
  const response = await fetch(`${url}/status/events`);
  assert.match(response.headers.get("content-type")!, /^text\/event-stream/);
  const reader = new EventReader();
  const decoder = new TextDecoder();
  const events: ServerSentEvent[] = [];
  let ticks = 0;
  for await (const bytes of response.body!) {
    events.push(...reader.push(decoder.decode(bytes, { stream: true })));
    if (events.length === 2) void once(live, "tick").then(() => ticks++);
    if (events.length === 3) live.close();
  }
  assert.deepEqual(
    events.map(({ event }) => event),
    ["history", "status", "status"],
  );
  assert.equal(ticks, 1);
});

test("all who look share one walk through the queue", async (context) => {
  const names = Array.from({ length: 8 }, (_, n) => `caller-${n}`);
  const { url, headersOf, generate, queue, assembly } = await serve(context, {
    callers: namedCallers(names),
  });
  const readers = await Promise.all(
    names.map(async (name) =>
      (await fetch(`${url}/status/events`, { headers: headersOf(name) })).body!.getReader(),
    ),
  );
  for (const name of ["caller-0", "caller-1"]) await generate({}, name);
  while (queue.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
  const walk = context.mock.method(queue, "next");
  await once(assembly.parts.live, "tick");
  assert.equal(walk.mock.callCount(), 1);
  await Promise.all(readers.map((reader) => reader.cancel()));
});

test("those who ask once share one walk of a second, and see an empty queue at once", async (context) => {
  const { status, generate, queue, jobs } = await serve(context);
  assert.equal((await status()).queue.waiting, 0);
  for (let n = 0; n < 2; n++) await generate({});
  while (queue.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
  const walk = context.mock.method(queue, "next");
  let at = performance.now();
  context.mock.method(performance, "now", () => at);
  const seen = await Promise.all(Array.from({ length: 5 }, () => status()));
  assert.deepEqual([...new Set(seen.map(({ queue }) => queue.requests.length))], [1]);
  assert.equal(walk.mock.callCount(), 1);
  at += 1001;
  await status();
  assert.equal(walk.mock.callCount(), 2);
  jobs[0]!.finish();
  while (queue.waiting > 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await status()).queue.waiting, 0);
});

test("a HEAD of the stream ends at once, and takes no place", async (context) => {
  const { url } = await serve(context);
  const signal = AbortSignal.timeout(10_000);
  const asked = Array.from({ length: 65 }, () => fetch(`${url}/status/events`, { method: "HEAD", signal }));
  const answers = await Promise.all(asked);
  assert.ok(answers.every(({ status }) => status === 200));
  assert.match(answers[0]!.headers.get("content-type")!, /^text\/event-stream/);
  // The connection is free for the next request.
  assert.equal((await fetch(`${url}/status/events`, { signal })).status, 200);
});

test("a stream ends with its key, also if the name gets another", { timeout: 20_000 }, async (context) => {
  const callers = namedCallers(["anna", "bert"]);
  const { url, headersOf } = await serve(context, { callers });
  const watch = async (name: string) =>
    (await fetch(`${url}/status/events`, { headers: headersOf(name) })).body!.getReader();
  const [anna, bert] = await Promise.all([watch("anna"), watch("bert")]);
  const [key] = namedKeys(["anna"]);
  const { hash } = namedKeys(["another"])[0]!;
  callers.replace([{ ...key!, hash }, ...namedKeys(["bert"])]);
  while (!(await anna.read()).done);
  // The key that stays goes on: its second event comes with the next tick.
  for (let read = 0; read < 3; read++) assert.equal((await bert.read()).done, false);
  assert.equal((await fetch(`${url}/status/events`, { headers: headersOf("anna") })).status, 401);
});

test("one caller's streams leave room for others'", async (context) => {
  const { url, headersOf } = await serve(context, { callers: namedCallers(["anna", "bert"]) });
  const watch = (name: string) => fetch(`${url}/status/events`, { headers: headersOf(name) });
  const first = await Promise.all(Array.from({ length: 32 }, () => watch("anna")));
  assert.ok(first.every(({ status }) => status === 200));
  assert.equal((await watch("anna")).status, 429);
  assert.equal((await watch("bert")).status, 200);
  // A stream that is left gives its place back.
  await first[0]!.body!.cancel();
  let again: Response;
  do again = await watch("anna");
  while (again.status === 429);
  assert.equal(again.status, 200);
});
