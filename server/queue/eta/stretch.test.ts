import assert from "node:assert/strict";
import { test } from "node:test";
import { Stretch } from "./stretch.js";

test("waits come to be as much longer as they did lately, each caller's by itself", () => {
  const stretch = new Stretch();
  assert.equal(stretch.of("a", 1), 1);
  for (let n = 0; n < 50; n++) stretch.learn("a", 1, 1000, 2000);
  for (let n = 0; n < 50; n++) stretch.learn("b", 1, 1000, 800);
  assert.ok(Math.abs(stretch.of("a", 1) - 1.8) < 0.1, String(stretch.of("a", 1)));
  assert.ok(Math.abs(stretch.of("b", 1) - 0.83) < 0.05, String(stretch.of("b", 1)));
  assert.equal(stretch.of("c", 1), 1);
  for (let n = 0; n < 50; n++) stretch.learn("a", 1, 1000, 1000);
  assert.ok(stretch.of("a", 1) < 1.05);
});

test("only who has a line of his own before him is overtaken", () => {
  const stretch = new Stretch();
  for (let n = 0; n < 50; n++) stretch.learn("a", 1, 1000, 2000);
  assert.equal(stretch.of("a", 0), 1);
  assert.ok(stretch.of("a", 0.5) > 1.2 && stretch.of("a", 0.5) < stretch.of("a", 1));
});

test("an exception does not count for more than a bad forecast, and too short a wait not at all", () => {
  const stretch = new Stretch();
  stretch.learn("a", 1, 10, 5000);
  assert.equal(stretch.of("a", 1), 1);
  stretch.learn("a", 1, 100, 1_000_000);
  assert.ok(stretch.of("a", 1) < 2);
});

test("callers that nobody has heard of for long are forgotten", () => {
  const stretch = new Stretch();
  for (let n = 0; n < 10; n++) stretch.learn("a", 1, 1000, 2000);
  for (let n = 0; n < 2000; n++) stretch.learn(`other ${n}`, 1, 1000, 1000);
  assert.equal(stretch.of("a", 1), 1);
});
