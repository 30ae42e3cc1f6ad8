import assert from "node:assert/strict";
import { test } from "node:test";
import { LoopDelay } from "./loop-delay.js";

function work(ms: number) {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test("the timer rests while the main thread is idle, and runs after a second with work", (context) => {
  const delay = new LoopDelay();
  context.after(() => delay.close());
  assert.equal(delay.isMeasuring, false);
  work(100);
  delay.tick(30);
  assert.equal(delay.isMeasuring, true);
  assert.deepEqual(delay.percentiles, { p50: 0, p99: 30 }, "the tick's own lateness is all that is known");
  delay.tick(0);
  assert.equal(delay.isMeasuring, false, "nothing was done since the last tick");
  delay.tick(-3);
  assert.deepEqual(delay.percentiles, { p50: 0, p99: 0 });
});

test("what is taken is of all seconds since the last time, and rests with the timer", {
  timeout: 20_000,
}, async (context) => {
  const delay = new LoopDelay();
  context.after(() => delay.close());
  delay.tick(30);
  assert.equal(delay.take().p99, 0, "the first begins");
  delay.tick(40);
  assert.deepEqual([delay.take().p99, delay.take().p99], [40, 0], "the ticks' lateness, once");
  work(60);
  delay.tick(0);
  for (let turn = 0; turn < 4; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 30));
    work(200);
  }
  await new Promise((resolve) => setTimeout(resolve, 30));
  // Quiet seconds follow: they do not hide it, and a rest is no delay.
  for (let second = 0; second < 3; second++) delay.tick(0);
  assert.equal(delay.isMeasuring, false);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  work(60);
  delay.tick(0);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const { p99, max } = delay.take();
  assert.ok(p99 > 100 && max >= p99, `${p99} ms`);
  assert.ok(max < 1000, `${max} ms`);
  for (let second = 0; second < 2; second++) delay.tick(0);
  delay.take();
  assert.deepEqual(delay.take(), { min: 0, max: 0, mean: 0, stddev: 0, p50: 0, p90: 0, p99: 0 });
});

test("a callback that holds the main thread is seen", { timeout: 20_000 }, async (context) => {
  const delay = new LoopDelay();
  context.after(() => delay.close());
  work(60);
  delay.tick(0);
  assert.ok(delay.isMeasuring);
  // The first of the timer's calls has nothing to compare with.
  for (let turn = 0; turn < 4; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 30));
    work(200);
  }
  await new Promise((resolve) => setTimeout(resolve, 30));
  delay.tick(0);
  assert.ok(delay.percentiles.p99 > 100, `${delay.percentiles.p99} ms`);
});
