import assert from "node:assert/strict";
import { test } from "node:test";
import { exchange, firstTokenMs, interTokenMs } from "./exchange.js";

const request = { text: "a", ids: [1], maxTokens: 3, temperature: 0, topK: 0, seed: 0, stream: true };

test("latencies are computed from the arrivals of tokens", () => {
  const one = {
    asked: 100,
    ended: 200,
    tokens: 5,
    arrivals: [
      { at: 120, count: 1 },
      { at: 130, count: 1 },
      { at: 160, count: 3 },
    ],
  };
  assert.equal(firstTokenMs(one), 20);
  assert.deepEqual(interTokenMs(one), [10, 10, 10, 10], "three tokens after 30 ms waited 10 ms each");
});

test("a whole answer has no time to first token", () => {
  const one = { asked: 0, ended: 9, tokens: 4, arrivals: [] };
  assert.equal(firstTokenMs(one), null);
  assert.deepEqual(interTokenMs(one), []);
});

test("arrivals are recorded, except those without tokens", async () => {
  const one = await exchange(async (_, onTokens) => {
    onTokens?.(1);
    onTokens?.(0);
    onTokens?.(2);
    return 3;
  }, request);
  assert.deepEqual(
    one.arrivals.map(({ count }) => count),
    [1, 2],
  );
});

test("an answer with another number of tokens is an error", async () => {
  await assert.rejects(
    exchange(async () => 2, request),
    /expected 3 tokens, got 2/,
  );
});
