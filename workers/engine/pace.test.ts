import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace } from "./pace.js";

/** After runs of a model that takes 1 ms and 0.05 ms more for each row. */
function paceOf(decodeMs: number, decoding: number, waiting: number): { rows: number; ms: number } {
  const pace = new Pace();
  let rows = 0;
  for (let run = 0; run < 40; run++) {
    pace.decoded(decodeMs);
    rows = pace.rows(decoding, waiting);
    pace.prefilled(1 + 0.05 * rows, rows);
  }
  return { rows, ms: 1 + 0.05 * rows };
}

test("a prefill between two decode steps takes at most half the time of one, where a run of few rows can", () => {
  for (const decodeMs of [4, 8, 30]) {
    const { ms } = paceOf(decodeMs, 16, 1);
    assert.ok(ms <= 0.5 * decodeMs && ms >= 0.3 * decodeMs, `${ms} of ${decodeMs} ms`);
  }
});

test("where prompts pile up it takes longer, but not much longer than a step", () => {
  for (const waiting of [3, 4]) {
    const { ms } = paceOf(8, 28, waiting);
    assert.ok(ms <= 1.1 * 8 && ms >= 0.9 * 8, `${ms} of 8 ms`);
  }
});

test("it takes what nobody notices, however short the steps are", () => {
  for (const decodeMs of [0.5, 1, 3]) {
    const { ms } = paceOf(decodeMs, 16, 1);
    assert.ok(ms <= 1.5 && ms > 1.3, `${ms} ms beside steps of ${decodeMs} ms`);
  }
});

test("it has a few rows even where that takes longer", () => {
  const pace = new Pace();
  for (let run = 0; run < 40; run++) {
    pace.decoded(4);
    pace.prefilled(80, 8);
  }
  assert.equal(pace.rows(16, 1), 8);
});

test("prompts that wait beside few sequences get more time", () => {
  assert.ok(paceOf(4, 4, 30).rows > 4 * paceOf(4, 16, 2).rows);
});

test("while nothing decodes a prefill is as long as may be", () => {
  assert.equal(new Pace().rows(0, 1), 256);
});

test("a run that was interrupted changes the pace little", () => {
  const pace = new Pace();
  for (let run = 0; run < 20; run++) {
    pace.decoded(8);
    pace.prefilled(2, 40);
  }
  const before = pace.rows(16, 1);
  pace.prefilled(500, 40);
  assert.ok(pace.rows(16, 1) > before / 2);
});
