import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import express, { type Response as ServerAnswer } from "express";
import { PublicError } from "../errors/errors.js";
import { TestClock, temporaryFolder } from "../jobs/fixture.js";
import { Space } from "../store/space.js";
import { Store } from "../store/store.js";
import { Idempotency } from "./idempotency.js";

interface ServeOptions {
  folder?: string;
  clock?: TestClock;
  maxBytes?: number;
  several?: () => boolean;
}

/** A server whose operation notes each run; the test answers it. */
async function serve(
  context: TestContext,
  { folder, clock = new TestClock(), maxBytes, several }: ServeOptions = {},
) {
  const store = await Store.open(folder ?? temporaryFolder(context));
  const space = new Space(maxBytes ?? 1e9, several, clock.now);
  const errors: string[] = [];
  const idempotency = await Idempotency.open({
    store,
    space,
    ttlMs: 60_000,
    callerOf: (res) => res.locals.caller,
    log: { error: (line) => void errors.push(line) },
    now: clock.now,
  });
  const runs: { res: ServerAnswer; fail: (error: Error) => void; body: unknown }[] = [];
  let asked = 0;
  let changed = () => {};
  const app = express();
  // Keeps Express from printing errors.
  app.set("env", "test");
  app.use(express.json());
  app.use((req, res, next) => {
    res.locals.caller = req.get("x-caller") ?? "anna";
    asked++;
    res.once("close", () => changed());
    next();
    changed();
  });
  app.post(/.*/, idempotency.handle());
  app.post(/.*/, (req, res, next) => {
    runs.push({ res, fail: next, body: req.body });
    changed();
  });
  app.use(idempotency.handleError());
  app.use(((error: PublicError, _req, res, next) => {
    if (res.headersSent) return next(error);
    res.status(error.status ?? 500).json({ detail: error.message });
  }) as express.ErrorRequestHandler);
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  let closed = false;
  const close = async () => {
    if (closed) return;
    closed = true;
    server.closeAllConnections();
    server.close();
    await store.close();
  };
  context.after(close);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const post = (
    key: string | null,
    body: unknown = { prompt: "안녕" },
    {
      path = "/generate",
      caller = "anna",
      signal,
    }: { path?: string; caller?: string; signal?: AbortSignal } = {},
  ) =>
    fetch(url + path, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-caller": caller,
        ...(key !== null && { "idempotency-key": key }),
      },
      body: JSON.stringify(body),
      ...(signal && { signal }),
    });
  const until = (condition: () => boolean) =>
    new Promise<void>((resolve) => {
      changed = () => {
        if (condition()) resolve();
      };
      changed();
    });
  return { post, runs, until, asked: () => asked, close, store, idempotency, space, errors, clock };
}

const told = async (response: Response) => ({
  status: response.status,
  replayed: response.headers.get("idempotent-replayed"),
  text: await response.text(),
});

test("of fifty simultaneous requests with one key, one is carried out and all get its answer", async (context) => {
  const { post, runs, until, asked } = await serve(context);
  const asking = Array.from({ length: 50 }, () => post("key"));
  await until(() => runs.length === 1 && asked() === 50);
  runs[0]!.res.set("X-Request-Id", "first").status(202).json({ text: "네" });
  const answers = await Promise.all(asking);
  assert.equal(runs.length, 1);
  const texts = await Promise.all(answers.map(told));
  assert.ok(texts.every(({ status, text }) => status === 202 && text === '{"text":"네"}'));
  assert.equal(texts.filter(({ replayed }) => replayed === "true").length, 49);
  for (const { headers } of answers) {
    assert.equal(headers.get("x-request-id"), "first");
    assert.equal(headers.get("content-type"), "application/json; charset=utf-8");
  }
});

test("a later request, even after a restart, gets the same answer, whether its key is quoted or not", async (context) => {
  const folder = temporaryFolder(context);
  const clock = new TestClock();
  const first = await serve(context, { folder, clock });
  const asking = first.post("key");
  await first.until(() => first.runs.length === 1);
  first.runs[0]!.res.json({ n: 1 });
  await asking;
  assert.deepEqual(await told(await first.post('"key"')), { status: 200, replayed: "true", text: '{"n":1}' });
  await first.close();
  const again = await serve(context, { folder, clock });
  assert.equal(again.space.used, first.space.used);
  assert.deepEqual(await told(await again.post("key")), { status: 200, replayed: "true", text: '{"n":1}' });
  assert.equal(first.runs.length + again.runs.length, 1);
});

test("another body or path with the same key is a conflict, even while the first request runs", async (context) => {
  const { post, runs, until } = await serve(context);
  const asking = post("key");
  await until(() => runs.length === 1);
  const conflict = async () => {
    for (const response of [
      await post("key", { prompt: "else" }),
      await post("key", { prompt: "안녕" }, { path: "/chat" }),
    ]) {
      const { status, text } = await told(response);
      assert.equal(status, 409);
      assert.match(text, /Idempotency-Key/);
    }
  };
  await conflict();
  runs[0]!.res.json({});
  await asking;
  await conflict();
  assert.equal(runs.length, 1);
});

test("requests with another caller's key, another key or no key are independent", async (context) => {
  const { post, runs, until } = await serve(context);
  const asking = [
    post("key"),
    post("key", undefined, { caller: "ben" }),
    post("other"),
    post(null),
    post(null),
  ];
  await until(() => runs.length === 5);
  for (const [n, { res }] of runs.entries()) res.json({ n });
  const texts = await Promise.all(asking.map(async (one) => (await told(await one)).text));
  assert.equal(new Set(texts).size, 5);
});

for (const status of [500, 503, 507, 429, 409, 408]) {
  test(`if the first request is answered with ${status}, one waiting request is carried out instead`, async (context) => {
    const { post, runs, until, asked } = await serve(context);
    const asking = Array.from({ length: 3 }, () => post("key"));
    await until(() => runs.length === 1 && asked() === 3);
    runs[0]!.res.status(status).json({ detail: "not now" });
    await until(() => runs.length === 2);
    runs[1]!.res.json({ text: "later" });
    const statuses = (await Promise.all(asking)).map((response) => response.status);
    assert.deepEqual(statuses.sort(), [200, 200, status].sort());
    assert.equal(runs.length, 2);
  });
}

test("an invalid request's error is replayed", async (context) => {
  const { post, runs, until } = await serve(context);
  const asking = post("key");
  await until(() => runs.length === 1);
  runs[0]!.fail(new PublicError("invalid_body"));
  assert.equal((await asking).status, 422);
  assert.deepEqual((await told(await post("key"))).status, 422);
  assert.equal(runs.length, 1);
});

test("when the first client disconnects, the next waiting request that is still connected runs", async (context) => {
  const { post, runs, until, asked } = await serve(context);
  const leaving = [new AbortController(), new AbortController()] as const;
  const first = post("key", undefined, { signal: leaving[0].signal });
  await until(() => runs.length === 1);
  const second = post("key", undefined, { signal: leaving[1].signal });
  const third = post("key");
  await until(() => asked() === 3);
  leaving[1].abort();
  await assert.rejects(second);
  leaving[0].abort();
  await assert.rejects(first);
  await until(() => runs.length === 2);
  runs[1]!.res.json({ text: "third" });
  assert.equal((await told(await third)).text, '{"text":"third"}');
  assert.equal(runs.length, 2);
});

test("a request that ends after its client left doesn't release the key of the one that runs now", async (context) => {
  const { post, runs, until, asked } = await serve(context);
  const leaving = new AbortController();
  const first = post("key", undefined, { signal: leaving.signal });
  await until(() => runs.length === 1);
  const second = post("key");
  await until(() => asked() === 2);
  leaving.abort();
  await assert.rejects(first);
  await until(() => runs.length === 2);
  runs[0]!.res.json({ text: "first" });
  const third = post("key");
  await until(() => asked() === 3);
  runs[1]!.res.json({ text: "second" });
  assert.equal((await told(await third)).text, '{"text":"second"}');
  assert.equal((await told(await second)).text, '{"text":"second"}');
  assert.equal(runs.length, 2);
});

test("once the answer is being written to disk, a client that leaves causes no second run", async (context) => {
  const { post, runs, until, asked, idempotency, store } = await serve(context);
  const leaving = new AbortController();
  const first = post("key", undefined, { signal: leaving.signal });
  await until(() => runs.length === 1);
  const { res } = runs[0]!;
  const writes = idempotency.keep(res.status(202), { id: 1 });
  const left = once(res, "close");
  leaving.abort();
  await assert.rejects(first);
  await left;
  const second = post("key");
  await until(() => asked() === 2);
  assert.equal(runs.length, 1);
  await store.write(writes);
  res.json({ id: 1 });
  assert.deepEqual(await told(await second), { status: 202, replayed: "true", text: '{"id":1}' });
});

test("a stream is replayed as a stream, without queue events and heartbeats", async (context) => {
  const { post, runs, until } = await serve(context);
  const asking = post("key");
  await until(() => runs.length === 1);
  const { res } = runs[0]!;
  res.writeHead(200, { "Content-Type": "text/event-stream; charset=utf-8" });
  res.write('event: queue\ndata: {"position":1}\n\n');
  res.write(": waiting\n\n");
  res.write('data: {"text":"한"}\n\ndata: {"text":"글"}\n\n');
  res.end("event: done\ndata: {}\n\n");
  const events = 'data: {"text":"한"}\n\ndata: {"text":"글"}\n\nevent: done\ndata: {}\n\n';
  assert.equal((await told(await asking)).text.slice(-events.length), events);
  const again = await post("key");
  assert.equal(again.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assert.deepEqual(await told(again), { status: 200, replayed: "true", text: events });
});

test("a stream that fails midway frees the key", async (context) => {
  const { post, runs, until } = await serve(context);
  const first = post("key");
  await until(() => runs.length === 1);
  const { res, fail } = runs[0]!;
  res.writeHead(200, { "Content-Type": "text/event-stream" });
  res.write('data: {"text":"half"}\n\n');
  fail(new Error("lost"));
  await first.then((response) => response.text()).catch(() => {});
  const second = post("key");
  await until(() => runs.length === 2);
  runs[1]!.res.json({ text: "whole" });
  assert.equal((await told(await second)).text, '{"text":"whole"}');
});

test("an answer is kept for its TTL, then the key and its space are free", async (context) => {
  const { post, runs, until, clock, idempotency, space } = await serve(context);
  const ask = async (n: number) => {
    const asking = post("key");
    await until(() => runs.length === n);
    runs[n - 1]!.res.json({ n });
    await asking;
  };
  await ask(1);
  const used = space.used;
  clock.advance(59_999);
  assert.equal((await told(await post("key"))).text, '{"n":1}');
  clock.advance(1);
  await ask(2);
  assert.equal(space.used, used);
  clock.advance(60_000);
  await idempotency.sweep();
  assert.equal(space.used, 0);
});

test("a full store refuses only requests with a new key, before they run", async (context) => {
  const { post, runs, until } = await serve(context, { maxBytes: 1 });
  const asking = post("key");
  await until(() => runs.length === 1);
  runs[0]!.res.json({});
  await asking;
  assert.equal((await post("other")).status, 507);
  assert.equal((await post("key")).status, 200);
  const without = post(null);
  await until(() => runs.length === 2);
  runs[1]!.res.json({});
  assert.equal((await without).status, 200);
});

test("one caller's answers fill its share alone, also after a restart; its next request is told when one expires", async (context) => {
  const folder = temporaryFolder(context);
  const clock = new TestClock();
  const options = { folder, clock, maxBytes: 4000, several: () => true };
  const first = await serve(context, options);
  const asking = first.post("key");
  await first.until(() => first.runs.length === 1);
  first.runs[0]!.res.json({ text: "x".repeat(2000) });
  await asking;
  await first.close();
  clock.advance(20_000);
  const { post, runs, until, space, idempotency } = await serve(context, options);
  assert.equal((await post("other")).status, 429);
  assert.equal(space.retryAfter("anna"), 40);
  assert.equal((await post("key")).status, 200);
  const bens = post("other", undefined, { caller: "ben" });
  await until(() => runs.length === 1);
  runs[0]!.res.json({});
  assert.equal((await bens).status, 200);
  clock.advance(40_000);
  await idempotency.sweep();
  const again = post("other");
  await until(() => runs.length === 2);
  runs[1]!.res.json({});
  assert.equal((await again).status, 200);
});

test("records and answers of another shape stop no start, and their keys are carried out by nobody", async (context) => {
  const folder = temporaryFolder(context);
  const first = await serve(context, { folder });
  const asking = first.post("k");
  await first.until(() => first.runs.length === 1);
  first.runs[0]!.res.json({ generated: "text" });
  assert.equal((await asking).status, 200);
  await first.close();
  const stored = await Store.open(folder);
  const [[key, record]] = (await entriesOf(stored, "key/")) as [[string, object]];
  const [[answerKey, answer]] = (await entriesOf(stored, "answer/")) as [[string, object]];
  await stored.close();
  const rows: [string, unknown][] = [
    null,
    5,
    [],
    {},
    { ...record, createdAt: "now" },
    { ...record, bytes: null },
  ].map((wrong) => [key, wrong]);
  rows.push(
    ...[
      null,
      5,
      {},
      { ...answer, status: "200" },
      { ...answer, headers: { a: {} } },
      { ...answer, body: {} },
    ].map((wrong): [string, unknown] => [answerKey, wrong]),
  );
  for (const [name, wrong] of rows) {
    const store = await Store.open(folder);
    const sound: [string, string][] = [
      [key, JSON.stringify(record)],
      [answerKey, JSON.stringify(answer)],
    ];
    await store.write([...sound, [name, JSON.stringify(wrong)]]);
    await store.close();
    const { post, runs, space, close } = await serve(context, { folder });
    assert.ok(Number.isFinite(space.used));
    const { status } = await post("k");
    assert.equal(status, new PublicError("record_damaged").status, `${name}: ${JSON.stringify(wrong)}`);
    assert.equal(runs.length, 0);
    await close();
  }
});

async function entriesOf(store: Store, prefix: string): Promise<[string, unknown][]> {
  const found: [string, unknown][] = [];
  for await (const entry of store.entries(prefix)) found.push(entry);
  return found;
}
