import assert from "node:assert/strict";
import { it } from "node:test";
import { FIXED } from "./grid.js";

it("whole chunks of a float32 prompt end where a chunk begins", () => {
  const starts = new Set<number>();
  for (let start = 0; start < 500; start += FIXED.chunk(start, 1)) starts.add(start);
  for (let tokens = 0; tokens < 500; tokens++) {
    const whole = FIXED.reusable(tokens);
    assert.ok(starts.has(whole) && whole <= tokens && whole + FIXED.chunk(whole, 1) > tokens);
  }
});

it("float32 chunks are padded to a multiple of a vector register", () => {
  for (let tokens = 1; tokens < 100; tokens++) {
    const rows = FIXED.padded(tokens);
    assert.ok(rows >= tokens && rows < tokens + 16 && rows % 16 === 0);
  }
});
