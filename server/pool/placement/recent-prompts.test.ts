import assert from "node:assert/strict";
import { test } from "node:test";
import { FIXED } from "../../../workers/engine/cache/grid.js";
import { beginnings, RecentPrompts } from "./recent-prompts.js";

const prompt = (length: number, first = 0) => Array.from({ length }, (_, index) => first + index);

test("a prompt's beginnings end where the engine's chunks do", () => {
  for (const length of [0, 1, 31, 32, 33, 47, 48, 200]) {
    const ends: number[] = [];
    for (let end = FIXED.chunk(0, 0); end <= length; end += FIXED.chunk(end, 0)) ends.push(end);
    assert.deepEqual(
      beginnings(prompt(length)).map(({ tokens }) => tokens),
      ends,
    );
    assert.equal(ends.at(-1) ?? 0, FIXED.reusable(length));
  }
});

test("the common beginning of two prompts is cached, in whole chunks, but never a whole prompt", () => {
  const recent = new RecentPrompts(4);
  const ids = prompt(100);
  recent.add(beginnings(ids));
  const cached = (other: number[], most = other.length - 1) => recent.cached(beginnings(other), most);
  assert.equal(cached(ids), 96);
  assert.equal(cached([...ids.slice(0, 70), ...prompt(40, 500)]), 64);
  assert.equal(cached(ids.slice(0, 64)), 48);
  assert.equal(cached(ids.slice(0, 31)), 0);
  assert.equal(cached(prompt(100, 1)), 0);
  assert.equal(cached([1, ...ids.slice(1)]), 0);
});

test("the least recent prompt is forgotten, except the beginning it shares with a newer one", () => {
  const recent = new RecentPrompts(2);
  const preamble = prompt(32);
  const [a, b, c] = [1000, 2000, 3000].map((first) => beginnings([...preamble, ...prompt(32, first)]));
  const cached = (one: ReturnType<typeof beginnings>) => recent.cached(one, 1000);
  recent.add(a!);
  recent.add(b!);
  recent.add(a!);
  recent.add(c!);
  assert.deepEqual(
    [a, b, c].map((one) => cached(one!)),
    [64, 32, 64],
  );
  for (let first = 4000; first < 4004; first++) recent.add(beginnings(prompt(40, first)));
  assert.deepEqual(
    [a, b, c].map((one) => cached(one!)),
    [0, 0, 0],
  );
});

test("prompts shorter than a chunk are not stored", () => {
  const recent = new RecentPrompts(1);
  recent.add(beginnings(prompt(40)));
  for (let n = 0; n < 10; n++) recent.add(beginnings(prompt(20, n)));
  assert.equal(recent.cached(beginnings(prompt(40)), 40), 32);
});
