import assert from "node:assert/strict";
import { test } from "node:test";
import { mean } from "../results/statistics.js";
import { isGood, openLoop, openLoopFigures, poissonArrivals } from "./open-loop.js";

const bounds = { firstTokenMs: 100, meanInterTokenMs: 10 };
const request = { text: "a", ids: [1], maxTokens: 2, temperature: 0, topK: 0, seed: 0, stream: true };

function streamed(first: number, gap: number, asked = 0) {
  const arrivals = [0, 1, 2].map((i) => ({ at: asked + first + i * gap, count: 1 }));
  return { asked, ended: arrivals.at(-1)!.at, tokens: 3, arrivals };
}

test("a request is good if its first token and the mean of the others arrived in time", () => {
  assert.equal(isGood(streamed(100, 10), bounds), true);
  assert.equal(isGood(streamed(101, 10), bounds), false);
  assert.equal(isGood(streamed(100, 11), bounds), false);
});

test("of a whole answer only the end is known", () => {
  assert.equal(isGood({ asked: 0, ended: 90, tokens: 9, arrivals: [] }, bounds), true);
  assert.equal(isGood({ asked: 0, ended: 110, tokens: 9, arrivals: [] }, bounds), false);
});

test("refused, failed and unfinished requests are told apart", async () => {
  const seen: string[] = [];
  const outcomes = await openLoop(
    async ({ text }, onTokens) => {
      seen.push(text);
      if (text === "refused") throw Object.assign(new Error("full"), { status: 503, retryAfter: 2 });
      if (text === "refused rudely") throw Object.assign(new Error("full"), { status: 503 });
      if (text === "broken") throw new Error("reset");
      if (text === "stuck") return new Promise<number>(() => {});
      onTokens?.(2);
      return 2;
    },
    ["fine", "refused", "refused rudely", "broken", "stuck"].map((text, i) => ({
      at: i / 1000,
      request: { ...request, text },
    })),
    0.05,
  );
  // Timers a millisecond apart may fire in any order.
  assert.deepEqual(seen.sort(), ["broken", "fine", "refused", "refused rudely", "stuck"]);
  const { offered, good, refused, refusedWithRetryAfter, failed, unfinished } = openLoopFigures(outcomes);
  assert.deepEqual(
    { offered, good, refused, refusedWithRetryAfter, failed, unfinished },
    { offered: 5, good: 1, refused: 2, refusedWithRetryAfter: 1, failed: 1, unfinished: 1 },
  );
});

test("latency counts from the scheduled time of sending", async () => {
  const start = performance.now();
  const [outcome] = await openLoop(async () => 2, [{ at: 0.02, request }], 1);
  assert.ok(typeof outcome === "object" && outcome.asked >= start + 20);
});

test("arrivals are in order, within the time, and the same for the same seed", () => {
  const times = poissonArrivals(50, 4, 7);
  assert.deepEqual(times, poissonArrivals(50, 4, 7));
  assert.notDeepEqual(times, poissonArrivals(50, 4, 8));
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
  assert.ok(times.every((time) => time > 0 && time < 4));
});

test("gaps are exponential: their mean is the rate's inverse, and so is their deviation", () => {
  const times = poissonArrivals(20, 1000, 3);
  const gaps = times.map((time, i) => time - (times[i - 1] ?? 0));
  const average = mean(gaps);
  const deviation = Math.sqrt(mean(gaps.map((gap) => (gap - average) ** 2)));
  assert.ok(Math.abs(average - 0.05) < 0.002, String(average));
  assert.ok(Math.abs(deviation - 0.05) < 0.002, String(deviation));
});
