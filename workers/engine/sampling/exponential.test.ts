import assert from "node:assert/strict";
import { it } from "node:test";
import { exponential } from "./exponential.js";
import { uniform } from "./philox.js";

it("agrees with Math.exp from 0 down to where results are no longer normal numbers", () => {
  for (let i = 0; i < 200_000; i++) {
    const x = -uniform([1, 2], i) * (i % 2 === 0 ? 707 : 3);
    const error = Math.abs(exponential(x) / Math.exp(x) - 1);
    assert.ok(error < 1e-13, `e^${x} is off by ${error}`);
  }
  assert.equal(exponential(0), 1);
  assert.equal(exponential(-0), 1);
});

it("is 0 far below", () => {
  for (const x of [-709, -1e9, -1e300, Number.NEGATIVE_INFINITY]) assert.equal(exponential(x), 0);
});
