import assert from "node:assert/strict";
import { test } from "node:test";
import { poissonArrivals } from "./arrivals.js";
import { mean } from "./statistics.js";

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
