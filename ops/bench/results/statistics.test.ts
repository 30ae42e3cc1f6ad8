import assert from "node:assert/strict";
import { test } from "node:test";
import { median, percentile, percentiles, spread } from "./statistics.js";

test("a percentile is the smallest value that this share of values doesn't exceed", () => {
  const values = [5, 1, 4, 2, 3, 6, 7, 8, 9, 10];
  assert.equal(percentile(values, 0.5), 5);
  assert.equal(percentile(values, 0.95), 10);
  assert.equal(percentile(values, 0.9), 9);
  assert.equal(percentile([7], 0.01), 7);
  assert.deepEqual(values.slice(0, 3), [5, 1, 4], "the values stay in their order");
});

test("a median is the middle value or the mean of two", () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([9, 1, 5, 6]), 5.5);
  assert.ok(Number.isNaN(median([])));
});

test("without values there is no spread and no percentiles", () => {
  assert.equal(spread([]), null);
  assert.equal(percentiles([]), null);
  assert.deepEqual(spread([3, 1, 2]), { median: 2, least: 1, most: 3 });
});
