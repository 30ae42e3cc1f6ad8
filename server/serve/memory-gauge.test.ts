import assert from "node:assert/strict";
import { test } from "node:test";
import type { Log } from "../log.js";
import { MemoryGauge } from "./memory-gauge.js";

test("memory above the budget is told once, and again after it was well below", () => {
  const lines: string[] = [];
  const note = (line: string) => void lines.push(line);
  const log: Log = { error: note, warn: note, info: note, debug: note, hidesPrompts: false };
  let rss = 0;
  const gauge = new MemoryGauge(100 * 2 ** 20, log, () => rss);
  for (const megabytes of [100, 101, 150, 95, 101, 89, 50, 101]) {
    rss = megabytes * 2 ** 20;
    gauge.look();
  }
  gauge.close();
  assert.deepEqual(lines, [
    "the process holds 101 MB, more than its budget of 100 MB",
    "the process holds 89 MB, within its budget again",
    "the process holds 101 MB, more than its budget of 100 MB",
  ]);
  assert.deepEqual(gauge.read(), { rss, budget: 100 * 2 ** 20 });
});

test("without another source it reads this process", () => {
  const silent = () => {};
  const log: Log = { error: silent, warn: silent, info: silent, debug: silent, hidesPrompts: false };
  const gauge = new MemoryGauge(1, log);
  gauge.close();
  assert.ok(gauge.read().rss > 2 ** 20);
});
