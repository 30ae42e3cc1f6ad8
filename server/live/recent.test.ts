import assert from "node:assert/strict";
import { test } from "node:test";
import { LATENCY_BOUNDS_MS, Recent } from "./recent.js";

test("percentiles are near those of the sorted values", () => {
  const recent = new Recent(LATENCY_BOUNDS_MS);
  const values = Array.from({ length: 1000 }, (_, n) => 1 + ((n * 7919) % 1000) ** 1.3);
  for (const value of values) recent.add(value);
  const sorted = values.toSorted((a, b) => a - b);
  for (const [name, share] of [
    ["p50", 0.5],
    ["p90", 0.9],
    ["p99", 0.99],
  ] as const) {
    const exact = sorted[Math.ceil(share * sorted.length) - 1]!;
    const found = recent.percentiles[name]!;
    assert.ok(Math.abs(found / exact - 1) < 0.1, `${name}: ${found} instead of ${exact}`);
  }
});

test("a value is forgotten after as many seconds as are kept", () => {
  const recent = new Recent([1, 2], 3);
  assert.equal(recent.percentiles.p50, null);
  recent.add(0.5);
  recent.tick();
  recent.tick();
  assert.notEqual(recent.percentiles.p50, null);
  recent.tick();
  assert.equal(recent.percentiles.p50, null);
});

test("values come as counts of buckets, too, and one above all bounds counts as the highest", () => {
  const recent = new Recent([1, 2]);
  recent.addAll([0, 0, 3]);
  assert.deepEqual(recent.percentiles, { p50: 2, p90: 2, p99: 2 });
  recent.addAll([0, 100, 0]);
  assert.ok(recent.percentiles.p50! > 1 && recent.percentiles.p50! <= 2);
});
