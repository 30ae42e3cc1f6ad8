import assert from "node:assert/strict";
import { test } from "node:test";
import { Turns } from "./turns.js";

/** Blocks the thread. */
function spend(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

/** A list to which each turn of the event loop adds "loop", until it has `length` entries. */
function loopTurns(length: number): string[] {
  const order: string[] = [];
  const tick = () => {
    order.push("loop");
    if (order.length < length) setImmediate(tick);
  };
  setImmediate(tick);
  return order;
}

test("the event loop runs between two long pieces of work", async () => {
  const turns = new Turns();
  const order = loopTurns(7);
  const works = ["first", "second", "third"].map((name) =>
    turns.take(() => {
      spend(15);
      order.push(name);
    }),
  );
  await Promise.all(works);
  assert.deepEqual(order.slice(0, 7), ["first", "loop", "loop", "second", "loop", "loop", "third"]);
});

test("short pieces of work are done at once", async () => {
  const turns = new Turns();
  let done = 0;
  const works = Array.from({ length: 100 }, () => turns.take(() => done++));
  assert.equal(done, 100);
  await Promise.all(works);
});

test("an error is thrown to the caller, and the failed work's time counts too", async () => {
  const turns = new Turns();
  const fails = turns.take(() => {
    spend(15);
    throw new Error("wrong");
  });
  let isDone = false;
  const later = turns.take(() => {
    isDone = true;
  });
  assert.equal(isDone, false);
  await assert.rejects(fails, /wrong/);
  await later;
});

test("what a piece of work leaves to promises is done, and counts, before the next begins", async () => {
  const turns = new Turns();
  const order = loopTurns(12);
  const blocks = turns.take(() => spend(15));
  const works = ["first", "second"].map((name) =>
    turns.take(async () => {
      order.push(name);
      await null;
      spend(15);
      order.push(`rest of ${name}`);
    }),
  );
  await Promise.all([blocks, ...works]);
  assert.deepEqual(
    order.filter((step) => step !== "loop"),
    ["first", "rest of first", "second", "rest of second"],
  );
  assert.equal(order[order.indexOf("second") - 1], "loop");
});

test("owners take turns", async () => {
  const turns = new Turns();
  const order: string[] = [];
  const blocks = turns.take(() => spend(15));
  const works = ["a", "a", "a", "b", "b", "c"].map((owner) => turns.take(() => order.push(owner), owner));
  await Promise.all([blocks, ...works]);
  assert.deepEqual(order, ["a", "b", "c", "a", "b", "a"]);
});
