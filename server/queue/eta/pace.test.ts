import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace } from "./pace.js";

const about = (got: number, expected: number) =>
  assert.ok(Math.abs(got - expected) < 0.05 * expected, `expected about ${expected}, got ${got}`);

test("it is that of what has run", () => {
  const pace = new Pace(4);
  for (let n = 0; n < 20; n++) pace.learn({ tokens: 100, ms: 700, beside: 4 });
  about(pace.msPerToken(4), 7);
});

test("the recent counts", () => {
  const pace = new Pace(4);
  for (let n = 0; n < 200; n++) pace.learn({ tokens: 100, ms: 700, beside: 4 });
  for (let n = 0; n < 100; n++) pace.learn({ tokens: 100, ms: 1400, beside: 4 });
  about(pace.msPerToken(4), 14);
});

test("one that is unlike the others weighs as one of some four for each slot", () => {
  const pace = new Pace(4);
  for (let n = 0; n < 200; n++) pace.learn({ tokens: 100, ms: 700, beside: 4 });
  pace.learn({ tokens: 100, ms: 7000, beside: 4 });
  about(pace.msPerToken(4), 7 + 63 / 24);
});

test("what was seen with few and with many tells what it is with full slots", () => {
  const pace = new Pace(32);
  for (let n = 0; n < 300; n++) {
    const beside = 1 + (n % 8);
    pace.learn({ tokens: 100, ms: 100 * (3 + 0.5 * beside), beside });
  }
  about(pace.msPerToken(2), 4);
  about(pace.msPerToken(32), 18);
});

test("seen at one number only it is the same for any", () => {
  const pace = new Pace(8);
  for (let n = 0; n < 200; n++) pace.learn({ tokens: 100, ms: 500, beside: 1 });
  about(pace.msPerToken(8), 5);
});

test("it is never less than a tenth of the mean, where the line falls below 0", () => {
  const pace = new Pace(8);
  for (let n = 0; n < 600; n++) {
    pace.learn({ tokens: 100, ms: 10, beside: 1 });
    pace.learn({ tokens: 100, ms: 1000, beside: 8 });
  }
  about(pace.msPerToken(4.5), 5.05);
  about(pace.msPerToken(0), 0.505);
});

test("what runs counts, and is forgotten until it has ended", () => {
  const pace = new Pace(1);
  const before = pace.msPerToken(1);
  about(pace.msPerToken(1, [{ tokens: 1000, ms: 100_000, beside: 1 }]), 98.4);
  assert.equal(pace.msPerToken(1), before);
});
