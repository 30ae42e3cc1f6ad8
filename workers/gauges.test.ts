import assert from "node:assert/strict";
import { test } from "node:test";
import { KvCache } from "./engine/cache/kv-cache.js";
import { Engine } from "./engine/engine.js";
import { ask, count, shape, vocab } from "./engine/fixtures/asking.js";
import { CountingSession } from "./engine/fixtures/sessions.js";
import { Gauges, ITL_BOUNDS_MS, STEP_BOUNDS } from "./gauges.js";

/** An engine that is the second of two workers, and what the main thread sees of it. */
function observed() {
  const gauges = Gauges.for(2, 3);
  let tokens = 0;
  const observer = Gauges.over(gauges.buffers, 3).observer(1, () => tokens++);
  const engine = new Engine(new CountingSession(), new KvCache(shape, 3), vocab, { observer });
  return { gauges, engine, states: () => gauges.slots(1).map(({ state }) => state), tokens: () => tokens };
}

test("each slot's state and its tokens in the cache are seen from another thread, until nothing is left", async () => {
  const { gauges, engine, states } = observed();
  ask(engine, { promptIds: [1, 2, 3], maxTokens: 2 });
  await engine.step();
  ask(engine, { promptIds: count(5, 40), maxTokens: 2 });
  await engine.step();
  assert.deepEqual(states(), ["decode", "prefill", "idle"]);
  assert.equal(gauges.slots(1)[0]!.tokens, 3);
  assert.deepEqual(
    gauges.slots(0).map(({ state }) => state),
    ["idle", "idle", "idle"],
    "the other worker does nothing",
  );
  await engine.run();
  assert.deepEqual(gauges.slots(1), Array(3).fill({ state: "idle", tokens: 0 }));
});

test("prompt tokens that were computed and tokens that were written are counted, with the time between two", async () => {
  const { gauges, engine, tokens } = observed();
  const prompt = count(0, 100);
  ask(engine, { promptIds: prompt, maxTokens: 5 });
  await engine.run();
  const { prefilled, written, itl, itlSumMs } = gauges.counts;
  assert.deepEqual([prefilled, written], [100, 5]);
  assert.equal(
    itl.reduce((sum, n) => sum + n, 0),
    4,
    "the first token has none before it",
  );
  assert.equal(itl.length, ITL_BOUNDS_MS.length + 1);
  assert.ok(itlSumMs > 0);
  assert.ok(tokens() >= 5);
  // What the cache still holds is not computed again.
  ask(engine, { promptIds: prompt, maxTokens: 1 });
  await engine.run();
  assert.ok(gauges.counts.prefilled < 200, `${gauges.counts.prefilled}`);
});

test("steps are counted by their tokens, those of prompts and those that were written", async () => {
  const { gauges, engine } = observed();
  ask(engine, { promptIds: [1, 2, 3], maxTokens: 3 });
  await engine.run();
  const { steps } = gauges.counts;
  assert.equal(steps.length, STEP_BOUNDS.length + 1);
  // The prompt's three and the first one written; then one, twice.
  assert.deepEqual(steps.slice(0, 4), [2, 0, 1, 0]);
  assert.equal(
    steps.reduce((sum, n) => sum + n, 0),
    3,
  );
});

test("a worker that was given up and goes on writing changes neither its successor's slots nor its counts", async () => {
  const { gauges, engine, states } = observed();
  ask(engine, { promptIds: [1], maxTokens: 9 });
  await engine.step();
  gauges.clear(1);
  const observer = Gauges.over(gauges.buffers, 3).observer(1, () => {});
  observer.slots([7, 8], 2);
  observer.wrote(null);
  const { written } = gauges.counts;
  await engine.step();
  assert.deepEqual(states(), ["decode", "decode", "idle"]);
  assert.equal(gauges.slots(1)[0]!.tokens, 7);
  assert.equal(gauges.counts.written, written + 1, "what it computes counts, in its own part");
});

test("a worker that is gone leaves its counts and idle slots", async () => {
  const { gauges, engine, states } = observed();
  ask(engine, { promptIds: [1], maxTokens: 9 });
  await engine.step();
  const { written } = gauges.counts;
  gauges.clear(1);
  assert.deepEqual(states(), ["idle", "idle", "idle"]);
  assert.equal(gauges.counts.written, written);
});
