import assert from "node:assert/strict";
import { test } from "node:test";
import { inSlices } from "./slices.js";

test("entries are done in slices, and the event loop has a turn after each", async () => {
  const entries = Array.from({ length: 3500 }, (_, at) => at);
  let turns = 0;
  const tick = () => {
    turns++;
    timer = setImmediate(tick);
  };
  let timer = setImmediate(tick);
  const slices: number[] = [];
  const turnsAt: number[] = [];
  await inSlices(
    entries,
    (entry) => entry % 2 === 0,
    async (slice) => {
      slices.push(slice.length);
      turnsAt.push(turns);
    },
  );
  clearImmediate(timer);
  assert.deepEqual(slices, [500, 500, 500, 250]);
  assert.equal(new Set(turnsAt).size, 4);
});

test("entries may be removed on the way, and slices without a wanted entry do nothing", async () => {
  const entries = new Map(Array.from({ length: 5000 }, (_, at) => [at, at >= 2500] as const));
  await inSlices(
    entries,
    ([, wanted]) => wanted,
    async (slice) => {
      assert.ok(slice.length > 0);
      for (const [key] of slice) entries.delete(key);
    },
  );
  assert.equal(entries.size, 2500);
});
