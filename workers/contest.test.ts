import assert from "node:assert/strict";
import { test } from "node:test";
import { Contest } from "./contest.js";

/** Runs `times` times, and returns how many runs went the second way. */
function run(contest: Contest, times: number, ms: (way: 0 | 1, run: number) => number): number {
  let second = 0;
  for (let n = 0; n < times; n++) {
    const way = contest.next();
    second += way;
    contest.took(ms(way, n));
  }
  return second;
}

test("it goes the first way until the other has been tried", () => {
  assert.equal(
    run(new Contest(), 100, () => 1),
    0,
  );
});

test("nearly all runs go the faster way, whichever it is", () => {
  for (const faster of [0, 1]) {
    const second = run(new Contest(), 20_000, (way) => (way === faster ? 1 : 2));
    assert.ok(faster === 1 ? second > 19_500 : second > 0 && second < 500, `${second} of 20,000`);
  }
});

test("a way that becomes slow is left, and taken again when it is fast again", () => {
  const contest = new Contest();
  const often = (times: number, ms: readonly [number, number]) =>
    run(contest, times, (way) => ms[way]) / times;
  assert.ok(often(2000, [1, 2]) < 0.05);
  // Another process takes the cores of the first way.
  often(3000, [5, 2]);
  assert.ok(often(2000, [5, 2]) > 0.95);
  often(6000, [1, 2]);
  assert.ok(often(2000, [1, 2]) < 0.05);
});

test("the first runs after a change count for nothing, since they find cold caches", () => {
  const contest = new Contest();
  let before = 0;
  let since = 0;
  run(contest, 3000, (way) => {
    since = way === before ? since + 1 : 0;
    before = way;
    return way === 1 ? (since < 3 ? 100 : 1) : 2;
  });
  assert.ok(run(contest, 1000, (way) => (way === 1 ? 1 : 2)) > 900);
});

test("a little faster, and one slow run, change nothing", () => {
  const contest = new Contest();
  assert.ok(run(contest, 5000, (way) => (way === 0 ? 1 : 0.9)) < 300);
  const slow = run(new Contest(), 5000, (_, n) => (n === 700 ? 4 : 1));
  assert.ok(slow < 300, `${slow} of 5,000`);
});
