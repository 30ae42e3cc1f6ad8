import assert from "node:assert/strict";
import { test } from "node:test";
import { holdQueue } from "../fixtures/held-queue.js";
import { Outlook } from "./outlook.js";

const extent = { promptTokens: 0, most: 100 };

function createOutlook(slots: number) {
  const clock = { now: 0 };
  const outlook = new Outlook(slots, () => clock.now);
  /** Sequences that write all they may, at so many milliseconds a token, all slots full. */
  const teach = (ms: number, times = 30) => {
    for (let n = 0; n < times; n++) {
      const runs = Array.from({ length: slots }, () => outlook.start(extent));
      clock.now += 100 * ms;
      for (const run of runs) outlook.end(run, 100);
    }
  };
  const wait = (ahead = 0) => {
    const schedule = outlook.schedule(slots);
    for (let n = 0; n < ahead; n++) schedule.next(extent);
    return schedule.next(extent);
  };
  return { clock, outlook, teach, wait };
}

const about = (got: number, expected: number, part = 0.05) =>
  assert.ok(Math.abs(got - expected) <= part * expected, `expected about ${expected}, got ${got}`);

test("what runs is done when its tokens are, and what waits goes one after the other", () => {
  const { clock, outlook, teach, wait } = createOutlook(2);
  teach(10);
  assert.equal(wait(), 0);
  outlook.start(extent);
  clock.now += 500;
  outlook.start(extent);
  about(wait(), 500);
  about(wait(1), 1000);
  about(wait(2), 1500);
  about(wait(200), 500 + 100 * 1000);
});

test("what is told of a sequence that runs counts, not how long it has run", () => {
  const { outlook, teach, wait } = createOutlook(1);
  teach(10);
  const run = outlook.start(extent);
  run.written = 90;
  about(wait(), 100, 0.2);
});

test("a sequence that is cancelled frees its slot at once, and teaches nothing of lengths or pace", () => {
  const { clock, outlook, teach, wait } = createOutlook(1);
  teach(10);
  for (let n = 0; n < 100; n++) {
    const run = outlook.start(extent);
    clock.now += n % 2 === 0 ? 1 : 60_000;
    run.ending = true;
    assert.equal(wait(), 0);
    outlook.end(run, null);
  }
  outlook.start(extent);
  about(wait(), 1000);
});

test("a cancelled one of which tokens were told teaches the pace", () => {
  const { clock, outlook, wait } = createOutlook(1);
  for (let n = 0; n < 50; n++) {
    const run = outlook.start(extent);
    run.written = 10;
    clock.now += 300;
    outlook.end(run, null);
  }
  outlook.start(extent);
  about(wait(), 3000);
});

test("sequences that run on and on show that the pace is less, before one has ended", () => {
  const { clock, outlook, teach, wait } = createOutlook(2);
  teach(10);
  for (let n = 0; n < 2; n++) outlook.start(extent);
  const before = wait(2);
  clock.now += 60_000;
  assert.ok(wait(2) > 2 * before, `${wait(2)} after ${before}`);
});

test("while no worker is there, it's as if they were back at once", () => {
  const { outlook, teach } = createOutlook(2);
  teach(10);
  const schedule = outlook.schedule(0);
  assert.deepEqual([schedule.next(extent), schedule.next(extent)], [0, 0]);
  about(schedule.next(extent), 1000);
});

test("a full queue says when a refused request would have started, and a draining one when all is done", async () => {
  const { queue, clock, enter, reserve, job } = holdQueue({ slots: 2, limit: 4, written: () => 100 });
  const request = { caller: "anonymous", priority: 0 };
  assert.equal(queue.retryAfter(request), 1);
  for (let n = 0; n < 40; n++) {
    const both = [enter(`${n}a`), enter(`${n}b`)];
    await clock.advance(4000);
    job(`${n}a`).end("");
    job(`${n}b`).end("");
    for (const { done } of both) await done;
  }
  for (const id of ["c", "d", "e", "f", "g", "h"]) enter(id);
  // Four wait, two at a time; four seconds each.
  assert.throws(() => reserve(), { name: "QueueRefusal", reason: "full", retryAfter: 12 });
  assert.throws(() => reserve({ caller: "other" }), { name: "QueueRefusal", reason: "full", retryAfter: 4 });
  void queue.drain();
  assert.throws(() => reserve(), { name: "QueueRefusal", reason: "draining", retryAfter: 12 });
});
