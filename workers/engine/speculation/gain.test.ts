import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Gain } from "./gain.js";

const draft = (share: number) => {
  const expected = Array.from({ length: 7 }, (_, i) => share * (i + 1));
  return { ids: expected.map(() => 1), expected, matched: 5, shares: expected.map(() => 1) };
};

/** Steps of which those with drafts take `msOf(rows)` and bring `share` of what is drafted; returns how many had drafts. */
function drafting(gain: Gain, steps: number, share: number, msOf: (rows: number) => number): number {
  let count = 0;
  for (let step = 0; step < steps; step++) {
    const drafted = gain.looksUp(1) ? gain.most(1, [draft(0.9)]) : 0;
    if (drafted > 0) count++;
    gain.took(msOf(1 + drafted), 1, 1 + drafted, 1 + share * drafted);
  }
  return count;
}

describe("the gain of drafts", () => {
  it("drafts nothing before it knows how long a plain step takes", () => {
    assert.equal(new Gain().most(1, [draft(1)]), 0);
  });

  it("drafts in nearly all steps where a run of more rows takes hardly longer", () => {
    assert.ok(drafting(new Gain(), 1000, 0.9, (rows) => 1 + 0.05 * rows) > 800);
  });

  it("soon drafts in few steps where a row takes as long as a step", () => {
    assert.ok(drafting(new Gain(), 1000, 0.9, (rows) => rows) < 100);
  });

  it("looks up less and less where drafts don't come true", () => {
    assert.ok(drafting(new Gain(), 5000, 0, (rows) => 1 + 0.05 * rows) < 1000);
  });

  it("drafts nothing where there is nothing to draft", () => {
    const gain = new Gain();
    gain.took(1, 1, 1, 1);
    assert.equal(gain.most(1, []), 0);
  });
});
