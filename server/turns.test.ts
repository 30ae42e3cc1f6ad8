import assert from "node:assert/strict";
import { test } from "node:test";
import { Turns } from "./turns.js";

/** Blocks the thread. */
function spend(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

test("the event loop runs between two long pieces of work", async () => {
  const turns = new Turns();
  const order: string[] = [];
  const tick = () => {
    order.push("loop");
    if (order.length < 6) setImmediate(tick);
  };
  setImmediate(tick);
  const works = ["first", "second", "third"].map((name) =>
    turns.take(() => {
      spend(15);
      order.push(name);
    }),
  );
  await Promise.all(works);
  assert.deepEqual(order.slice(0, 5), ["first", "loop", "second", "loop", "third"]);
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
