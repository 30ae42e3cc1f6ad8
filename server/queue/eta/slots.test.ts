import assert from "node:assert/strict";
import { test } from "node:test";
import { holdQueue } from "../fixtures/held-queue.js";
import { type Occupant, Slots } from "./slots.js";

const extent = { promptTokens: 0, most: 100 };

function createSlots(count: number) {
  const clock = { now: 0 };
  const slots = new Slots(count, () => clock.now);
  const start = (): Occupant => {
    const occupant = { extent, startedAt: 0, written: null, ending: false };
    slots.start(occupant);
    return occupant;
  };
  /** Sequences that write so many of 100 tokens, at so many milliseconds a token, all slots full. */
  const teach = (ms: number, { times = 30, written = 100 } = {}) => {
    for (let n = 0; n < times; n++) {
      const occupants = Array.from({ length: count }, start);
      clock.now += written * ms;
      for (const occupant of occupants) slots.end(occupant, written);
    }
  };
  const wait = (ahead = 0) => {
    const schedule = slots.schedule(count);
    for (let n = 0; n < ahead; n++) schedule.next(extent);
    return schedule.next(extent);
  };
  return { clock, slots, start, teach, wait };
}

const about = (got: number, expected: number, part = 0.05) =>
  assert.ok(Math.abs(got - expected) <= part * expected, `expected about ${expected}, got ${got}`);

test("until something is known, sequences write all they may, at 50 tokens a second", () => {
  const { start, wait } = createSlots(1);
  start();
  about(wait(1) - wait(), 2000);
});

test("what runs is done when its tokens are, and what waits goes one after the other", () => {
  const { clock, start, teach, wait } = createSlots(2);
  teach(10);
  assert.equal(wait(), 0);
  start();
  clock.now += 500;
  start();
  about(wait(), 500);
  about(wait(1), 1000);
  about(wait(2), 1500);
  about(wait(200), 500 + 100 * 1000);
});

test("a prompt token takes a twentieth of a written one", () => {
  const { clock, slots, start, teach } = createSlots(1);
  teach(10);
  const prompt = { promptTokens: 400, most: 100 };
  slots.start({ extent: prompt, startedAt: 0, written: null, ending: false });
  about(slots.schedule(1).nextFree, 1200);
  clock.now += 100;
  about(slots.schedule(1).nextFree, 1100);
  const schedule = slots.schedule(2);
  start();
  schedule.next(prompt);
  about(schedule.nextFree, 1100);
});

test("reported tokens of a running sequence count, not how long it has run", () => {
  const { start, teach, wait } = createSlots(1);
  teach(10);
  start().written = 90;
  about(wait(), 100, 0.2);
});

test("a running sequence is never supposed to be nearly done, unless it reports so", () => {
  const { clock, start, teach, wait } = createSlots(1);
  teach(10);
  start();
  for (const ms of [500, 400, 60_000]) {
    clock.now += ms;
    about(wait(), 500);
  }
});

test("a cancelled sequence frees its slot at once, and teaches nothing", () => {
  const { clock, slots, start, teach, wait } = createSlots(1);
  teach(10);
  for (let n = 0; n < 100; n++) {
    const occupant = start();
    clock.now += n % 2 === 0 ? 1 : 60_000;
    occupant.ending = true;
    assert.equal(wait(), 0);
    slots.end(occupant, null);
  }
  start();
  about(wait(), 1000);
});

test("a cancelled sequence that reported tokens teaches the pace", () => {
  const { clock, slots, start, wait } = createSlots(1);
  for (let n = 0; n < 50; n++) {
    const occupant = start();
    occupant.written = 10;
    clock.now += 300;
    slots.end(occupant, null);
  }
  start();
  about(wait(), 3000);
});

test("sequences come to write the share of what they may that recent ones wrote, at the recent pace", () => {
  const { start, slots, teach, wait } = createSlots(1);
  teach(10, { times: 1000 });
  teach(10, { times: 300, written: 20 });
  const occupant = start();
  about(wait(1) - wait(), 200, 0.25);
  slots.end(occupant, null);
  teach(20, { times: 500, written: 20 });
  start();
  about(wait(1) - wait(), 400, 0.1);
});

test("one exceptional sequence hardly changes the pace", () => {
  const { start, teach, wait } = createSlots(4);
  teach(7, { times: 200 });
  teach(70, { times: 1 });
  start();
  assert.ok(wait(4) < 700 * 1.5, String(wait(4)));
});

test("while no worker is there, it's as if they were back at once", () => {
  const { slots, teach } = createSlots(2);
  teach(10);
  const schedule = slots.schedule(0);
  assert.deepEqual([schedule.next(extent), schedule.next(extent)], [0, 0]);
  about(schedule.next(extent), 1000);
});

test("a full queue says when a refused request would have started, and a draining one when all is done", async () => {
  const { queue, clock, enter, reserve, execution } = holdQueue({ slots: 2, limit: 4, written: () => 100 });
  const request = { caller: "anonymous", priority: 0 };
  assert.equal(queue.retryAfter(request), 1);
  for (let n = 0; n < 40; n++) {
    const both = [enter(`${n}a`), enter(`${n}b`)];
    await clock.advance(4000);
    execution(`${n}a`).end("");
    execution(`${n}b`).end("");
    for (const { done } of both) await done;
  }
  for (const id of ["c", "d", "e", "f", "g", "h"]) enter(id);
  // Four wait, two at a time; four seconds each.
  assert.throws(() => reserve(), { name: "QueueRefusal", reason: "queue_full", retryAfter: 12 });
  assert.throws(() => reserve({ caller: "other" }), {
    name: "QueueRefusal",
    reason: "queue_full",
    retryAfter: 4,
  });
  void queue.drain();
  assert.throws(() => reserve(), { name: "QueueRefusal", reason: "shutting_down", retryAfter: 12 });
});
