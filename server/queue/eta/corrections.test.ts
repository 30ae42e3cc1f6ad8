import assert from "node:assert/strict";
import { test } from "node:test";
import { Corrections } from "./corrections.js";

test("forecasts are corrected by their recent errors, each key by its own", () => {
  const corrections = new Corrections();
  assert.equal(corrections.factorOf("a"), 1);
  for (let n = 0; n < 50; n++) corrections.learn("a", 1000, 2000);
  for (let n = 0; n < 50; n++) corrections.learn("b", 1000, 800);
  assert.ok(Math.abs(corrections.factorOf("a") - 1.8) < 0.1, String(corrections.factorOf("a")));
  assert.ok(Math.abs(corrections.factorOf("b") - 0.83) < 0.05, String(corrections.factorOf("b")));
  assert.equal(corrections.factorOf("c"), 1);
  for (let n = 0; n < 50; n++) corrections.learn("a", 1000, 1000);
  assert.ok(corrections.factorOf("a") < 1.05);
});

test("an exception does not count for more than a bad forecast, and too short a wait not at all", () => {
  const corrections = new Corrections();
  corrections.learn("a", 10, 5000);
  assert.equal(corrections.factorOf("a"), 1);
  corrections.learn("a", 100, 1_000_000);
  assert.ok(corrections.factorOf("a") < 2);
});

test("keys that were not used for long are forgotten", () => {
  const corrections = new Corrections();
  for (let n = 0; n < 10; n++) corrections.learn("a", 1000, 2000);
  for (let n = 0; n < 2000; n++) corrections.learn(`other ${n}`, 1000, 1000);
  assert.equal(corrections.factorOf("a"), 1);
});
