import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { count } from "../fixtures/asking.js";
import { Said } from "./said.js";

function saidOf(...texts: number[][]): Said {
  const said = new Said();
  for (const text of texts) said.add(text);
  return said;
}

describe("what was said before", () => {
  it("drafts what followed the last three tokens, to the text's end and no further", () => {
    const said = saidOf([9, ...count(1, 8)], [50, 51]);
    assert.deepEqual(said.draft([7, 7, 2, 3, 4], 2, 0.5).ids, [5, 6]);
    assert.deepEqual(said.draft([2, 3, 4], 7, 0.5).ids, [5, 6, 7, 8]);
    assert.deepEqual(said.draft([6, 7, 8], 7, 0.5).ids, []);
  });

  it("drafts nothing for a text of two tokens, nor across two texts", () => {
    const said = saidOf([1, 2], [3, 4, 5]);
    assert.deepEqual(said.draft([1, 2], 7, 0.5).ids, []);
    assert.deepEqual(said.draft([1, 2, 3], 7, 0.5).ids, []);
  });

  it("goes on as the place of the longest match does", () => {
    const said = saidOf([8, 1, 2, 3, 20], [9, 1, 2, 3, 30], [8, 1, 2, 3, 20, 21], [9, 1, 2, 3, 40]);
    assert.deepEqual(said.draft([8, 1, 2, 3], 7, 0.5).ids, [20, 21]);
  });

  it("drafts no token of which the places' share is too small", () => {
    const said = saidOf([1, 2, 3, 20], [1, 2, 3, 30], [1, 2, 3, 40]);
    assert.deepEqual(said.draft([1, 2, 3], 7, 0.5).ids, []);
    assert.equal(said.draft([1, 2, 3], 7, 0.3).ids.length, 1);
  });

  it("forgets the oldest texts, and nothing else, however much is said", () => {
    const said = saidOf(count(1, 10));
    for (let i = 0; i < 5000; i++) said.add([1000 + i, 10_000 + i, 20_000 + i, 30_000 + i, 40_000 + i, 7, 7]);
    assert.deepEqual(said.draft([1, 2, 3], 7, 0.5).ids, []);
    for (const i of [4999, 2000])
      assert.deepEqual(said.draft([1000 + i, 10_000 + i, 20_000 + i], 2, 0.5).ids, [30_000 + i, 40_000 + i]);
  });

  it("expects less of drafts like those that went wrong, and more of those that came true", () => {
    const said = saidOf(count(1, 20));
    const draft = () => said.draft([1, 2, 3], 2, 0.5);
    const [before] = draft().expected as [number];
    for (let i = 0; i < 50; i++) said.judge(draft(), 2, 0);
    const [wrong] = draft().expected as [number];
    for (let i = 0; i < 200; i++) said.judge(draft(), 2, 2);
    const [right] = draft().expected as [number];
    assert.ok(wrong < before && before < right && right <= 1, `${wrong}, ${before}, ${right}`);
  });
});
