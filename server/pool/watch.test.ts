import assert from "node:assert/strict";
import { test } from "node:test";
import { type Seen, Watch } from "./watch.js";

const LOOK = 500;
const patience = { least: 10_000, first: 60_000, most: 300_000, runs: 20 };

/** Looks until a worker hangs. @returns after how many milliseconds, or null */
function hangsAfter(change: (ms: number) => Partial<Seen>, elapsed = LOOK): number | null {
  const watch = new Watch(LOOK, patience);
  for (let ms = 0; ms <= 400_000; ms += elapsed) {
    const seen = { worker: 1, hasWork: true, steps: 7, longestRunMs: 5, ...change(ms) };
    if (watch.look([seen], elapsed).length > 0) return ms;
  }
  return null;
}

test("a worker with work and no step hangs after a while that its longest run decides", () => {
  assert.equal(
    hangsAfter(() => ({})),
    10_000,
  );
  assert.equal(
    hangsAfter(() => ({ longestRunMs: 1000 })),
    20_000,
  );
  assert.equal(
    hangsAfter(() => ({ longestRunMs: 1e9 })),
    300_000,
  );
});

test("a first run may take longer", () => {
  assert.equal(
    hangsAfter(() => ({ longestRunMs: 0 })),
    60_000,
  );
});

test("a worker that makes a step now and then, or has no work, does not hang", () => {
  assert.equal(
    hangsAfter((ms) => ({ steps: Math.floor(ms / 9000) })),
    null,
  );
  assert.equal(
    hangsAfter(() => ({ hasWork: false })),
    null,
  );
  assert.equal(
    hangsAfter((ms) => ({ hasWork: ms % 9000 !== 0 })),
    null,
  );
});

test("time in which nobody could look is not the worker's", () => {
  // Ten seconds between two looks: each counts as one.
  assert.equal(
    hangsAfter(() => ({}), 10_000),
    100_000,
  );
});

test("a worker counts as stalled after half its time, until it makes a step or is gone", () => {
  const watch = new Watch(LOOK, patience);
  const seen = { worker: 1, hasWork: true, steps: 7, longestRunMs: 5 };
  for (let ms = 0; ms < 5000; ms += LOOK) {
    watch.look([seen], LOOK);
    assert.equal(watch.stalled, 0);
  }
  watch.look([seen], LOOK);
  assert.equal(watch.stalled, 1);
  watch.look([{ ...seen, steps: 8 }], LOOK);
  assert.equal(watch.stalled, 0);
  for (let ms = 0; ms <= 5000; ms += LOOK) watch.look([{ ...seen, steps: 8 }], LOOK);
  assert.equal(watch.stalled, 1);
  watch.look([], LOOK);
  assert.equal(watch.stalled, 0);
});

test("a worker that hangs is told once, and then no longer counts", () => {
  const watch = new Watch(LOOK, patience);
  const seen = { worker: 1, hasWork: true, steps: 7, longestRunMs: 5 };
  const told = Array.from({ length: 21 }, () => watch.look([seen], LOOK)).flat();
  assert.deepEqual([told, watch.stalled], [[1], 0]);
});
