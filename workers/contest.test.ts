import assert from "node:assert/strict";
import { test } from "node:test";
import { Contest } from "./contest.js";

type Way = 0 | 1;

/** Runs for so many milliseconds of a clock of their own, and returns the share of runs that went the second way. */
function run(contest: Contest, forMs: number, msOf: (way: Way, now: number) => number): number {
  let runs = 0;
  let second = 0;
  for (let now = 0; now < forMs; runs++) {
    const way = contest.next();
    second += way;
    const ms = msOf(way, now);
    now += ms;
    contest.took(ms);
  }
  return second / runs;
}

test("it begins with the first way, and tries the other within a second", () => {
  const contest = new Contest();
  assert.equal(contest.next(), 0);
  assert.ok(run(contest, 1000, () => 1) > 0);
});

test("nearly all runs go the faster way, whichever it is", () => {
  assert.ok(run(new Contest(), 30_000, (way) => (way === 0 ? 1 : 2)) < 0.03);
  assert.ok(run(new Contest(), 30_000, (way) => (way === 1 ? 1 : 2)) > 0.97);
});

test("long runs are judged after few of them", () => {
  const contest = new Contest();
  assert.ok(run(contest, 1500, (way) => (way === 1 ? 40 : 60)) > 0.5);
});

test("a way that has become slower than the other was is left within a moment", () => {
  const contest = new Contest();
  run(contest, 60_000, (way) => (way === 1 ? 1 : 2));
  assert.equal(contest.next(), 1);
  // Another process takes a core.
  run(contest, 300, (way) => (way === 1 ? 5 : 2));
  assert.ok(run(contest, 5000, (way) => (way === 1 ? 5 : 2)) < 0.05);
});

test("a way that has become faster is taken again", () => {
  const contest = new Contest();
  run(contest, 60_000, (way) => (way === 1 ? 5 : 2));
  run(contest, 20_000, (way) => (way === 1 ? 1 : 2));
  assert.ok(run(contest, 5000, (way) => (way === 1 ? 1 : 2)) > 0.95);
});

test("a way that is fast only for the first moments after a rest is not taken", () => {
  // Its helper thread has slept, and is given its first slices at once, on a core that is busy.
  let lastUse = Number.NEGATIVE_INFINITY;
  let began = 0;
  const share = run(new Contest(), 120_000, (way, now) => {
    if (way === 0) return 1;
    if (now - lastUse > 20) began = now;
    lastUse = now;
    return now - began < 15 ? 0.6 : 3;
  });
  assert.ok(share < 0.03, `${share}`);
});

test("the first runs after a change count for nothing, since they find cold caches", () => {
  let before: Way = 0;
  let since = 0;
  const share = run(new Contest(), 30_000, (way) => {
    since = way === before ? since + 1 : 0;
    before = way;
    return way === 1 ? (since < 4 ? 100 : 1) : 2;
  });
  assert.ok(share > 0.95, `${share}`);
});

test("a little faster, and single slow runs, change little", () => {
  assert.ok(run(new Contest(), 30_000, (way) => (way === 0 ? 1 : 0.9)) < 0.03);
  let runs = 0;
  assert.ok(run(new Contest(), 30_000, () => (++runs % 700 === 0 ? 10 : 1)) < 0.05);
});

test("times are compared for each unit of work", () => {
  const contest = new Contest();
  let second = 0;
  for (let n = 0; n < 5000; n++) {
    const way = contest.next();
    second += way;
    const work = 1 + (n % 7);
    contest.took(work * (way === 0 ? 1 : 0.5), work);
  }
  assert.ok(second > 4500, `${second} of 5,000`);
});
