import assert from "node:assert/strict";
import { test } from "node:test";
import { countedHistogram } from "./counted-histogram.js";

test("counts of single buckets become the sums that Prometheus expects", async () => {
  const given = { name: "t_seconds", help: "h", bounds: [0.1, 1] };
  const { values, type } = await countedHistogram(given, () => ({ counts: [2, 0, 3], sum: 7.5 })).get();
  assert.equal(type, "histogram");
  assert.deepEqual(
    values.map(({ metricName, labels, value }) => [metricName, labels.le, value]),
    [
      ["t_seconds_bucket", 0.1, 2],
      ["t_seconds_bucket", 1, 2],
      ["t_seconds_bucket", "+Inf", 5],
      ["t_seconds_sum", undefined, 7.5],
      ["t_seconds_count", undefined, 5],
    ],
  );
});

test("before the workers have counted anything all buckets are 0", async () => {
  const given = { name: "t", help: "h", bounds: [1] };
  const { values } = await countedHistogram(given, () => ({ counts: [], sum: 0 })).get();
  assert.ok(values.every(({ value }) => value === 0));
});
