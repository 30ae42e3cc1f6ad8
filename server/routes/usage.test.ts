import assert from "node:assert/strict";
import { test } from "node:test";
import { serveStandIn } from "../fixtures/stand-in.js";
import { Callers } from "../keys/callers.js";
import { hashKey, unlimited } from "../settings/key.js";

test("a key gets its own usage, its limits and what is left of them", async (context) => {
  let now = Date.parse("2026-01-31T12:00:00Z");
  const limits = { requestsPerMinute: 60, tokensPerMinute: null, tokensPerDay: 1000, concurrentRequests: 2 };
  const callers = new Callers(
    [
      { name: "a", hash: hashKey("one"), priority: 3, limits },
      { name: "b", hash: hashKey("two"), priority: 0, limits: unlimited },
    ],
    () => now,
  );
  const { url } = await serveStandIn(context, { callers });
  const usage = async (key: string) => {
    const response = await fetch(`${url}/v1/usage`, { headers: { "x-api-key": key } });
    assert.equal(response.status, 200);
    return response.json();
  };
  const a = callers.named("a")!;
  a.admit({ tokens: 100 }).settle({ promptTokens: 30, completionTokens: 20 });
  const refused = await fetch(`${url}/generate`, {
    method: "POST",
    headers: { "x-api-key": "one", "content-type": "application/json" },
    body: JSON.stringify({ prompt: "x", max_tokens: 1001 }),
  });
  assert.equal(refused.status, 403);
  now += 86_400_000;
  a.arrive();
  a.admit({ tokens: 100 });
  const none = { requests: 0, refused: 0, prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
  const first = { requests: 1, refused: 1, prompt_tokens: 30, completion_tokens: 20, total_tokens: 50 };
  assert.deepEqual(await usage("one"), {
    object: "usage",
    name: "a",
    priority: 3,
    since: "2026-01-31T12:00:00.000Z",
    ...first,
    requests: 2,
    days: [
      { date: "2026-02-01", ...none, requests: 1 },
      { date: "2026-01-31", ...first },
    ],
    limits: {
      requests_per_minute: { limit: 60, remaining: 59, reset_seconds: 1 },
      tokens_per_minute: null,
      tokens_per_day: { limit: 1000, remaining: 900, reset_seconds: 43_200 },
      concurrent_requests: { limit: 2, remaining: 1, reset_seconds: null },
    },
  });
  assert.deepEqual(await usage("two"), {
    object: "usage",
    name: "b",
    priority: 0,
    since: "2026-01-31T12:00:00.000Z",
    ...none,
    days: [],
    limits: {
      requests_per_minute: null,
      tokens_per_minute: null,
      tokens_per_day: null,
      concurrent_requests: null,
    },
  });
});

test("without keys, the anonymous caller's usage is returned", async (context) => {
  const { url, post } = await serveStandIn(context);
  await post("/generate", { prompt: "x" });
  const { name, requests } = (await (await fetch(`${url}/v1/usage`)).json()) as Record<string, unknown>;
  assert.deepEqual({ name, requests }, { name: "anonymous", requests: 1 });
});
