import assert from "node:assert/strict";
import { test } from "node:test";
import { rateLimitHeaders } from "./rate-limit-headers.js";

const none = {
  requestsPerMinute: null,
  tokensPerMinute: null,
  tokensPerDay: null,
  concurrentRequests: null,
};

test("unset limits have no headers", () => {
  const concurrentRequests = { limit: 1, remaining: 1, msUntilReset: null };
  assert.deepEqual(rateLimitHeaders({ ...none, concurrentRequests }), []);
});

test("the token headers show the token limit with less left", () => {
  const tokensPerMinute = { limit: 100, remaining: 60, msUntilReset: 24_000 };
  const tokensPerDay = { limit: 1000, remaining: 50, msUntilReset: 1 };
  const remaining = (allowances: object) =>
    new Map(rateLimitHeaders({ ...none, ...allowances })).get("x-ratelimit-remaining-tokens");
  assert.equal(remaining({ tokensPerMinute, tokensPerDay }), "50");
  assert.equal(remaining({ tokensPerMinute }), "60");
});

for (const [ms, written] of [
  [0, "0ms"],
  [0.2, "1ms"],
  [999, "999ms"],
  [999.5, "1s"],
  [1500, "1.5s"],
  [60_000, "1m0s"],
  [61_001, "1m1.001s"],
  [86_400_000, "24h0m0s"],
] as const) {
  test(`${ms} ms is written as ${written}`, () => {
    const requestsPerMinute = { limit: 1, remaining: 0, msUntilReset: ms };
    assert.deepEqual(rateLimitHeaders({ ...none, requestsPerMinute }).at(-1), [
      "x-ratelimit-reset-requests",
      written,
    ]);
  });
}
