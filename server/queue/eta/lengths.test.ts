import assert from "node:assert/strict";
import { test } from "node:test";
import { randomNumbers } from "../fixtures/random.js";
import { Lengths } from "./lengths.js";

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

test("until something is known, sequences write all they may", () => {
  const lengths = new Lengths();
  assert.deepEqual(lengths.left(100, 0, 4), [100, 100, 100, 100]);
  assert.deepEqual(lengths.left(100, 30, 1), [70]);
  assert.deepEqual(lengths.left(100, 100, 2), [0, 0]);
});

test("what is left is what it is for those that came as far", () => {
  const lengths = new Lengths();
  const random = randomNumbers(1);
  // Half of them anything, half of them all.
  for (let n = 0; n < 2000; n++) lengths.learn(random() < 0.5 ? 200 * random() : 200, 200);
  assert.ok(Math.abs(mean(lengths.left(200, 0, 8)) - 150) < 15);
  // Of those that come to 100, a third end evenly before 200.
  assert.ok(Math.abs(mean(lengths.left(200, 100, 8)) - 83) < 12);
  const values = lengths.left(200, 0, 8);
  assert.deepEqual(
    values,
    values.toSorted((a, b) => a - b),
  );
  assert.ok(values[0]! > 5 && values[0]! < 50 && values[7] === 200, String(values));
});

test("one that writes more than any has before may write it all", () => {
  const lengths = new Lengths();
  for (let n = 0; n < 3000; n++) lengths.learn(20, 200);
  assert.ok(mean(lengths.left(200, 0, 8)) < 30);
  assert.deepEqual(lengths.left(200, 150, 2), [50, 50]);
});

test("the recent counts", () => {
  const lengths = new Lengths();
  for (let n = 0; n < 1000; n++) lengths.learn(200, 200);
  for (let n = 0; n < 300; n++) lengths.learn(20, 200);
  assert.ok(mean(lengths.left(200, 0, 8)) < 40);
});
