import assert from "node:assert/strict";
import { test } from "node:test";
import type { GenerateResult } from "../generate-result.js";
import { PieceBuffer } from "./piece-buffer.js";

/** A stream that never ends by itself; `state.left` says whether it was cancelled. */
function endless() {
  const state = { left: false };
  const buffer = new PieceBuffer(
    () => new Promise<GenerateResult>(() => {}),
    () => {
      state.left = true;
    },
  );
  return { buffer, state };
}

test("a reader that leaves before the first piece cancels the generation", async () => {
  const { buffer, state } = endless();
  await buffer[Symbol.asyncIterator]().return();
  assert.equal(state.left, true);
});

test("a second reader is refused, and the generation goes on", () => {
  const { buffer, state } = endless();
  buffer[Symbol.asyncIterator]();
  assert.throws(
    () => buffer[Symbol.asyncIterator](),
    /^Error: expected one reader of the stream, got another$/,
  );
  assert.equal(state.left, false);
});
