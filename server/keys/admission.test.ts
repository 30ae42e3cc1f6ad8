// How generations count against their key's limits, over HTTP.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type StandInOptions, serveStandIn } from "../fixtures/stand-in.js";
import { hashKey, type Limits, unlimited } from "../settings/key.js";
import { Callers } from "./callers.js";

async function serve(context: TestContext, limits: Partial<Limits>, options: StandInOptions = {}) {
  const clock = { now: Date.parse("2026-01-31T12:00:00Z") };
  const keys = [{ name: "a", hash: hashKey("one"), priority: -4, limits: { ...unlimited, ...limits } }];
  const callers = new Callers(keys, () => clock.now);
  const server = await serveStandIn(context, { ...options, callers });
  const post = (body: object, signal: AbortSignal | null = null) =>
    fetch(`${server.url}/generate`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": "one" },
      body: JSON.stringify(body),
      signal,
    });
  return { ...server, clock, caller: callers.named("a")!, post };
}

test("a request holds prompt and max_tokens for each text, then is charged what it used", async (context) => {
  const { post, jobs, caller, until } = await serve(context, { tokensPerMinute: 100 }, { hold: true });
  const left = () => caller.allowances.tokensPerMinute!.remaining;
  const answer = post({ prompt: "abcd", max_tokens: 10, n: 2 });
  await until(() => jobs.length === 2);
  assert.equal(left(), 100 - 4 - 2 * 10);
  const refused = await post({ prompt: "abcd", max_tokens: 73 });
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get("retry-after"), "1");
  assert.equal(refused.headers.get("x-ratelimit-remaining-tokens"), "76");
  assert.deepEqual(await refused.json(), { detail: "This key's tokens of a minute are used up or held" });
  for (const job of jobs) job.finish();
  assert.equal((await answer).headers.get("x-ratelimit-remaining-tokens"), "76");
  assert.deepEqual(caller.ledger.total, { requests: 2, refused: 1, promptTokens: 4, completionTokens: 20 });
});

test("a request larger than the whole limit gets 403 and takes no queue place", async (context) => {
  const { post, queue, caller } = await serve(context, { tokensPerDay: 100 });
  const refused = await post({ prompt: "abcd", max_tokens: 97 });
  assert.equal(refused.status, 403);
  assert.equal(refused.headers.get("retry-after"), null);
  assert.deepEqual(await refused.json(), {
    detail: "The request may use more tokens than this key's limits ever allow: 101 of 100",
  });
  assert.deepEqual([queue.waiting, queue.running], [0, 0]);
  assert.equal((await post({ prompt: "abcd", max_tokens: 96 })).status, 200);
  assert.equal(caller.allowances.tokensPerDay!.remaining, 0);
});

test("a flood never exceeds the limit, and passes again after Retry-After", async (context) => {
  const { post, caller, clock } = await serve(context, { tokensPerMinute: 60 }, { limit: 100 });
  const flood = async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, () => post({ prompt: "ab", max_tokens: 8 })),
    );
    return answers.filter(({ status }) => status === 200).length;
  };
  assert.equal(await flood(), 6);
  const refused = await post({ prompt: "ab", max_tokens: 8 });
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "10"]);
  clock.now += 9999;
  assert.equal(await flood(), 0);
  clock.now += 1;
  assert.equal(await flood(), 1);
  assert.equal(caller.ledger.tokensToday, 70);
});

test("concurrent requests are limited; one that ends makes room", async (context) => {
  const { post, jobs, until } = await serve(context, { concurrentRequests: 1 }, { hold: true });
  const first = post({ prompt: "x", max_tokens: 1 });
  await until(() => jobs.length === 1);
  const refused = await post({ prompt: "x", max_tokens: 1 });
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "1"]);
  jobs[0]!.finish();
  assert.equal((await first).status, 200);
  const second = post({ prompt: "x", max_tokens: 1 });
  await until(() => jobs.length === 2);
  jobs[1]!.finish();
  assert.equal((await second).status, 200);
});

test("a client that leaves midway is charged for the written tokens, and the held rest is freed", async (context) => {
  const { post, jobs, caller, until } = await serve(context, { tokensPerMinute: 100 }, { hold: true });
  const leaving = new AbortController();
  const answer = assert.rejects(post({ prompt: "abcd", max_tokens: 50 }, leaving.signal));
  await until(() => jobs.length === 1);
  leaving.abort();
  await answer;
  // The stand-in reports three tokens for a cancelled task.
  await until(() => jobs[0]!.cancelled);
  while (caller.allowances.tokensPerMinute!.remaining < 93) await new Promise((done) => setImmediate(done));
  assert.deepEqual(caller.ledger.total, { requests: 1, refused: 0, promptTokens: 4, completionTokens: 3 });
});

test("a prompt that is only scored is charged: what was read counts, with or without a token of its own", async (context) => {
  const { url, caller } = await serve(context, { tokensPerMinute: 100, tokensPerDay: 1000 });
  const score = (body: object) =>
    fetch(`${url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": "one" },
      body: JSON.stringify({ prompt: "abcde", max_tokens: 0, echo: true, logprobs: 1, ...body }),
    });
  assert.equal((await score({})).status, 200);
  assert.equal(caller.ledger.total.promptTokens, 5);
  assert.equal(caller.allowances.tokensPerMinute!.remaining, 95);
  assert.equal(caller.allowances.tokensPerDay!.remaining, 995);
  const listed = await score({ prompt: ["abcde", "xyz"], n: 2 });
  assert.equal(listed.status, 200);
  assert.equal(((await listed.json()) as { usage: { prompt_tokens: number } }).usage.prompt_tokens, 8);
  assert.deepEqual(caller.ledger.total, { requests: 2, refused: 0, promptTokens: 13, completionTokens: 0 });
});

test("a request that fails before it starts costs nothing", async (context) => {
  const { post, caller } = await serve(
    context,
    { tokensPerMinute: 100, concurrentRequests: 1 },
    { loading: true },
  );
  for (let n = 0; n < 3; n++) assert.equal((await post({ prompt: "x", max_tokens: 90 })).status, 503);
  assert.equal(caller.allowances.tokensPerMinute!.remaining, 100);
  assert.equal(caller.allowances.concurrentRequests!.remaining, 1);
});
