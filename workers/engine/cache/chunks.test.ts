import assert from "node:assert/strict";
import { it } from "node:test";
import { chunkAt, padded, wholeChunks } from "./chunks.js";

it("whole chunks of a prompt end where a chunk begins", () => {
  const starts = new Set<number>();
  for (let start = 0; start < 500; start += chunkAt(start)) starts.add(start);
  for (let tokens = 0; tokens < 500; tokens++) {
    const whole = wholeChunks(tokens);
    assert.ok(starts.has(whole) && whole <= tokens && whole + chunkAt(whole) > tokens);
  }
});

it("chunks are padded to a multiple of a vector register", () => {
  for (let tokens = 1; tokens < 100; tokens++) {
    assert.ok(padded(tokens) >= tokens && padded(tokens) < tokens + 16 && padded(tokens) % 16 === 0);
  }
});
