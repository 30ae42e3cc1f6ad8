import assert from "node:assert/strict";
import { test } from "node:test";
import { Progress } from "./progress.js";

test("each worker has its own steps, which all see who share the memory", () => {
  const progress = Progress.for(2);
  const other = Progress.over(progress.buffer);
  other.step(1);
  other.step(1);
  assert.deepEqual([progress.steps(0), progress.steps(1)], [0, 2]);
});

test("a run is a step at its beginning and its end, and its time is kept if it is the longest", async () => {
  const progress = Progress.for(1);
  assert.equal(progress.longestRun(0), 0);
  let begun = 0;
  const result = await progress.run(0, async () => {
    begun = progress.steps(0);
    return "outputs";
  });
  assert.deepEqual([result, begun, progress.steps(0)], ["outputs", 1, 2]);
  const first = progress.longestRun(0);
  assert.ok(first >= 1);
  const until = performance.now() + first;
  await progress.run(0, async () => {
    while (performance.now() <= until + 1);
  });
  const longest = progress.longestRun(0);
  assert.ok(longest > first);
  await progress.run(0, async () => {});
  assert.equal(progress.longestRun(0), longest);
  progress.clear(0);
  assert.equal(progress.longestRun(0), 0);
});

test("a run that ends after its worker was replaced leaves the successor's times alone", async () => {
  const progress = Progress.for(1);
  const until = performance.now() + 2;
  const work = async () => {
    while (performance.now() <= until);
  };
  await progress.run(0, work, () => true);
  assert.deepEqual([progress.steps(0), progress.longestRun(0)], [1, 0]);
});
