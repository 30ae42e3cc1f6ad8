import assert from "node:assert/strict";
import { test } from "node:test";
import { holdQueue } from "./fixtures/held-queue.js";
import { settled, VirtualClock } from "./fixtures/virtual-clock.js";
import { Queue } from "./queue.js";
import { Cancelled, type Refusal } from "./refusal.js";
import type { Standing } from "./ticket.js";

const refused = (reason: Refusal) => ({ name: "QueueRefusal", reason });

test("sequences start in the order in which they came, as slots become free", async () => {
  const { started, enter, execution } = holdQueue({ slots: 2 });
  const [, second, third] = ["a", "b", "c", "d"].map((id) => enter(id));
  assert.deepEqual(started, ["a", "b"]);
  execution("b").end("B");
  assert.equal((await second!.done).outcome, "B");
  assert.deepEqual(started, ["a", "b", "c"]);
  execution("c").end("C");
  await third!.done;
  assert.deepEqual(started, ["a", "b", "c", "d"]);
});

test("beyond the slots and the limit a request is refused before anything is done for it", async () => {
  const { reserve, enter, execution } = holdQueue({ limit: 1 });
  const { done } = enter("a");
  enter("b");
  assert.throws(() => reserve(), refused("queue_full"));
  execution("a").end("A");
  await done;
  assert.doesNotThrow(() => reserve());
});

test("a reserved place counts before it is submitted", () => {
  const { reserve } = holdQueue({ limit: 0 });
  const ticket = reserve();
  assert.throws(() => reserve(), refused("queue_full"));
  ticket.cancel();
  assert.doesNotThrow(() => reserve());
});

test("a limit of 0 lets nothing wait", () => {
  const { reserve, enter } = holdQueue({ slots: 2, limit: 0 });
  enter("a");
  enter("b");
  assert.throws(() => reserve(), refused("queue_full"));
});

test("every sequence of a request has a place, is started and settles by itself", async () => {
  const { queue, started, reserve, execution } = holdQueue({ slots: 2, limit: 2 });
  const ticket = reserve({ sequences: 3 });
  assert.throws(() => reserve({ sequences: 2 }), refused("queue_full"));
  const promises = ticket.submit(
    ["a", "b", "c"].map((item) => ({ item, extent: { promptTokens: 10, most: 90 } })),
  );
  assert.deepEqual([started, ticket.position], [["a", "b"], 0]);
  execution("b").fail(new Error("broken"));
  await assert.rejects(promises[1]!, /broken/);
  assert.deepEqual(started, ["a", "b", "c"]);
  execution("c").end("C");
  assert.equal((await promises[2]!).outcome, "C");
  execution("a").end("A");
  assert.equal((await promises[0]!).outcome, "A");
  await queue.drain();
});

test("a request that could not have a place in an empty queue is told so, not to wait", () => {
  const { queue, reserve } = holdQueue({ slots: 2, limit: 3, limitOfCaller: 2, promptTokens: 100 });
  assert.throws(() => reserve({ sequences: 5 }), {
    name: "NeverFits",
    message: "expected at most 4 sequences, got 5",
  });
  const ticket = reserve();
  assert.throws(() => ticket.adjust(101), {
    name: "NeverFits",
    message: "expected at most 100 prompt tokens, got 101",
  });
  return queue.drain();
});

test("priorities and numbers of sequences that there are not are refused", () => {
  const { reserve } = holdQueue();
  for (const priority of [11, -11, 0.5, Number.NaN])
    assert.throws(() => reserve({ priority }), /expected a priority from -10 to 10, got/);
  for (const priority of [10, -10]) reserve({ priority }).cancel();
  for (const sequences of [0, -1, 1.5])
    assert.throws(() => reserve({ sequences }), /expected at least one sequence, got/);
});

test("a submission has to have as many sequences as are reserved, once", () => {
  const { reserve, submit } = holdQueue();
  const ticket = reserve();
  assert.throws(() => ticket.submit([]), /expected 1 sequences, got 0/);
  void submit(ticket, "a");
  assert.throws(() => submit(ticket, "a"), /expected one submission, got another/);
});

test("prompt tokens are bounded from the reservation until the start, whatever is estimated first", () => {
  const { queue, reserve, enter, submit } = holdQueue({ limit: 10, promptTokens: 100 });
  enter("running", { promptTokens: 90 });
  const first = reserve({ promptTokens: 80 });
  assert.throws(() => reserve({ promptTokens: 30 }), refused("queue_full"));
  first.adjust(20);
  const second = reserve({ promptTokens: 80 });
  assert.throws(() => reserve({ promptTokens: 1 }), refused("queue_full"));
  void submit(first, "first");
  assert.throws(() => reserve({ promptTokens: 1 }), refused("queue_full"), "it waits");
  first.cancel();
  second.cancel();
  // Nothing says that it really has so many.
  const estimate = reserve({ promptTokens: 1_000_000 });
  assert.throws(() => reserve({ promptTokens: 1 }), refused("queue_full"));
  estimate.adjust(100);
  estimate.cancel();
  assert.equal(queue.waiting, 0);
  assert.doesNotThrow(() => reserve({ promptTokens: 100 }));
});

test("the sequences of a request take their share of its prompt tokens along", async () => {
  const { reserve, execution } = holdQueue({ limit: 10, promptTokens: 100 });
  const ticket = reserve({ sequences: 3, promptTokens: 100 });
  const [a] = ticket.submit(
    ["a", "b", "c"].map((item) => ({ item, extent: { promptTokens: 10, most: 90 } })),
  );
  assert.throws(() => reserve({ promptTokens: 34 }), refused("queue_full"));
  reserve({ promptTokens: 33 }).cancel();
  execution("a").end("A");
  await a;
  reserve({ promptTokens: 66 }).cancel();
  ticket.cancel();
  assert.doesNotThrow(() => reserve({ promptTokens: 100 }));
});

test("an estimate that proves too low may be refused, which gives the place up", () => {
  const { reserve } = holdQueue({ limit: 10, promptTokens: 100 });
  const first = reserve({ promptTokens: 50 });
  const second = reserve({ promptTokens: 50 });
  assert.throws(() => first.adjust(51), refused("queue_full"));
  assert.doesNotThrow(() => second.adjust(100));
});

test("a caller with as many as one may have is refused by itself", () => {
  const { enter, reserve } = holdQueue({ limit: 10, limitOfCaller: 2 });
  for (const id of ["a", "b", "c"]) enter(id, { caller: "greedy" });
  assert.throws(() => reserve({ caller: "greedy" }), refused("caller_queue_full"));
  assert.doesNotThrow(() => reserve({ caller: "modest" }));
});

test("a caller's first does not wait for the 500 of another", async () => {
  const { started, enter, execution } = holdQueue({ limit: 1000, slots: 4 });
  const done = Array.from({ length: 504 }, (_, n) => enter(`a${n}`, { caller: "a" }).done);
  const { ticket } = enter("b", { caller: "b" });
  assert.equal(ticket.position, 1);
  for (const n of [2, 0]) {
    execution(`a${n}`).end("");
    await done[n];
  }
  assert.ok(started.indexOf("b") <= 5, started.join());
});

test("a higher class goes before those that wait, and its place says so", async () => {
  const { started, enter, execution } = holdQueue({ limit: 10 });
  const { done } = enter("a");
  enter("b");
  const { ticket } = enter("c", { priority: 1 });
  assert.equal(ticket.position, 1);
  execution("a").end("");
  await done;
  assert.deepEqual(started, ["a", "c"]);
});

test("places are those of the order that comes, far down too", async () => {
  const { started, enter, execution } = holdQueue({ limit: 3000 });
  const positions = new Map<string, number>();
  const done: Promise<unknown>[] = [enter("running").done];
  for (let n = 0; n < 2000; n++) {
    // Later ones of the other caller go before those that wait already: only the last of each is sure of its place.
    const caller = n % 3 === 0 ? "b" : "a";
    const entered = enter(`${caller}${n}`, { caller });
    positions.set(`${caller}${n}`, entered.ticket.position);
    done.push(entered.done);
  }
  for (let n = 0; n <= 2000; n++) {
    execution(started[n]!).end("");
    await settled();
  }
  assert.equal(started.indexOf("a1999"), 2000);
  assert.ok(Math.abs(positions.get("a1999")! - 2000) <= 20, String(positions.get("a1999")));
  const place = positions.get("b1998")!;
  assert.ok(Math.abs(place - started.indexOf("b1998")) <= 20, `${place} for ${started.indexOf("b1998")}`);
  assert.deepEqual([positions.get("b0"), positions.get("a1")], [1, 2]);
  await Promise.all(done);
});

test("a request that waits and is given up never starts, and its place is free at once", async () => {
  const { started, cancelled, enter, execution } = holdQueue({ limit: 1 });
  const { done } = enter("a");
  const { ticket, done: removed } = enter("b");
  ticket.cancel();
  await assert.rejects(removed, Cancelled);
  enter("c");
  execution("a").end("A");
  await done;
  assert.deepEqual(started, ["a", "c"]);
  assert.deepEqual(cancelled, []);
});

test("a running request that is given up is cancelled, alone and once, and keeps its slot until its sequence has ended", async () => {
  const { queue, started, cancelled, enter, execution } = holdQueue({ slots: 2, limit: 1 });
  const { ticket, done } = enter("a");
  enter("b");
  enter("c");
  ticket.cancel();
  ticket.cancel();
  assert.deepEqual(cancelled, ["a"]);
  assert.deepEqual(started, ["a", "b"]);
  execution("a").end("cancelled");
  assert.equal((await done).outcome, "cancelled");
  assert.deepEqual(started, ["a", "b", "c"]);
  assert.equal(queue.running, 2);
});

test("giving up what has ended does nothing", async () => {
  const { queue, cancelled, enter, execution } = holdQueue();
  const { ticket, done } = enter("a");
  execution("a").end("A");
  await done;
  ticket.cancel();
  assert.deepEqual(cancelled, []);
  assert.equal(queue.running, 0);
});

test("a request that is given up between its reservation and its submission is not queued", async () => {
  const { started, reserve, submit } = holdQueue();
  const ticket = reserve();
  ticket.cancel();
  ticket.adjust(5);
  await assert.rejects(submit(ticket, "a"), Cancelled);
  assert.deepEqual(started, []);
});

test("of a request of which some run and some wait, giving it up takes both", async () => {
  const { queue, cancelled, reserve, execution } = holdQueue({ slots: 1, limit: 2 });
  const ticket = reserve({ sequences: 3 });
  const [a, b, c] = ticket.submit(
    ["a", "b", "c"].map((item) => ({ item, extent: { promptTokens: 10, most: 90 } })),
  );
  ticket.cancel();
  await Promise.all([assert.rejects(b!, Cancelled), assert.rejects(c!, Cancelled)]);
  assert.deepEqual([cancelled, queue.waiting, queue.running], [["a"], 0, 1]);
  execution("a").end("cancelled");
  assert.equal((await a!).outcome, "cancelled");
  await queue.drain();
});

test("a sequence's failure is its own and frees its slot", async () => {
  const { started, enter, execution } = holdQueue();
  const { done } = enter("a");
  enter("b");
  execution("a").fail(new Error("broken"));
  await assert.rejects(done, /broken/);
  assert.deepEqual(started, ["a", "b"]);
});

test("nothing starts beyond the capacity of the moment, and all that waits starts when it is back", () => {
  const { queue, started, state, enter } = holdQueue({ slots: 2 });
  state.capacity = 0;
  for (const id of ["a", "b", "c"]) enter(id);
  assert.deepEqual(started, []);
  state.capacity = 2;
  queue.dispatch();
  assert.deepEqual(started, ["a", "b"]);
  assert.equal(queue.waiting, 1);
});

test("draining refuses the new, finishes the admitted, then resolves", async () => {
  const { queue, started, reserve, submit, enter, execution } = holdQueue();
  const { done } = enter("a");
  const reserved = reserve();
  let drained = false;
  const drain = queue.drain().then(() => {
    drained = true;
  });
  assert.throws(() => reserve(), refused("shutting_down"));
  const second = submit(reserved, "b");
  execution("a").end("A");
  await done;
  await settled();
  assert.deepEqual([started, drained], [["a", "b"], false]);
  execution("b").end("B");
  assert.equal((await second).outcome, "B");
  await drain;
});

test("draining an empty queue resolves at once, and it never opens again", async () => {
  const { queue, reserve } = holdQueue();
  await queue.drain();
  queue.open();
  assert.throws(() => reserve(), refused("shutting_down"));
});

test("clear gives up what is reserved and waits, and cancels what runs", async () => {
  const { queue, cancelled, reserve, enter, execution } = holdQueue({ limit: 3 });
  const { done } = enter("a");
  const { done: waiting } = enter("b");
  reserve();
  const drain = queue.drain();
  queue.clear();
  await assert.rejects(waiting, Cancelled);
  assert.deepEqual(cancelled, ["a"]);
  execution("a").end("cancelled");
  await done;
  await drain;
});

test("while loading everything is refused, to come back after as long again as loading has taken", async () => {
  const clock = new VirtualClock();
  const queue = new Queue({ limit: 1, slots: 1, capacity: () => 0, start: () => assert.fail(), clock });
  const reserve = () => queue.reserve({ caller: "", priority: 0, sequences: 1, promptTokens: 1 });
  assert.throws(reserve, { ...refused("model_loading"), retryAfter: 1 });
  await clock.advance(3600);
  assert.throws(reserve, { ...refused("model_loading"), retryAfter: 4 });
});

test("a done request knows how long it waited and ran", async () => {
  const { clock, enter, execution } = holdQueue();
  const first = enter("a");
  const second = enter("b");
  await clock.advance(30);
  execution("a").end("A");
  assert.deepEqual(await first.done, { outcome: "A", queueMs: 0, runMs: 30 });
  await clock.advance(70);
  execution("b").end("B");
  assert.deepEqual(await second.done, { outcome: "B", queueMs: 30, runMs: 70 });
});

test("nobody is obliged to await every sequence", async () => {
  const { reserve } = holdQueue({ limit: 3 });
  const unheard: unknown[] = [];
  const note = (error: unknown) => unheard.push(error);
  process.on("unhandledRejection", note);
  const ticket = reserve({ sequences: 3 });
  void ticket.submit(["a", "b", "c"].map((item) => ({ item, extent: { promptTokens: 10, most: 90 } })));
  ticket.cancel();
  await settled();
  await settled();
  process.off("unhandledRejection", note);
  assert.deepEqual(unheard, []);
});

test("who has to wait is told at once where it stands, and again when that has changed, at most once a second", async () => {
  const { clock, enter, execution } = holdQueue({ limit: 10 });
  const { done } = enter("a");
  const told: [string, number, number][] = [];
  const watch = (id: string) =>
    enter(id, {}, ({ position }: Standing) => told.push([id, position, clock.now()]));
  const b = watch("b");
  await clock.advance(400);
  watch("c");
  b.ticket.cancel();
  await clock.advance(300);
  watch("d");
  assert.deepEqual(told.splice(0), [
    ["b", 1, 0],
    ["c", 2, 400],
    ["d", 2, 700],
  ]);
  await clock.advance(5000);
  // Everybody is told in one go; at 1000 it would be too soon for both.
  assert.deepEqual(told.slice(0, 1), [["c", 1, 2000]]);
  for (const id of ["c", "d"]) {
    const times = [id === "c" ? 400 : 700, ...told.filter(([who]) => who === id).map(([, , at]) => at)];
    for (const [n, at] of times.slice(1).entries()) assert.ok(at - times[n]! >= 1000, `${id} at ${times}`);
  }
  told.length = 0;
  execution("a").end("");
  await done;
  await clock.advance(1000);
  assert.deepEqual(
    told.map(([id, position]) => id + position),
    ["d1"],
    "c has started",
  );
});

test("without changes nobody is told anything, and no timer runs", async () => {
  const { clock, enter } = holdQueue({ limit: 10 });
  enter("a");
  let told = 0;
  enter("b", {}, () => told++);
  await clock.advance(10_000);
  const before = told;
  assert.equal(clock.timers.size, 0);
  await clock.advance(10_000);
  assert.equal(told, before);
});

test("a listener that gives up its request in the middle of it disturbs nobody", async () => {
  const { queue, clock, reserve, enter, submit } = holdQueue({ limit: 10 });
  enter("a");
  const { ticket: first } = enter("b");
  const leaving = reserve();
  const left = assert.rejects(
    submit(leaving, "c", ({ position }) => position === 1 && leaving.cancel()),
    Cancelled,
  );
  let last = 0;
  enter("d", {}, ({ position }) => {
    last = position;
  });
  first.cancel();
  await clock.advance(3000);
  await left;
  assert.deepEqual([last, queue.waiting], [1, 1]);
});

test("tokens that are told of a running request bring the start of the next nearer", () => {
  const { enter, reserve } = holdQueue();
  const { ticket } = enter("a");
  const expectedWait = () => {
    let wait = Number.NaN;
    const next = reserve();
    const [done] = next.submit([{ item: "b", extent: { promptTokens: 10, most: 100 } }], (standing) => {
      wait = standing.expectedWait;
    });
    void done;
    next.cancel();
    return wait;
  };
  const before = expectedWait();
  ticket.progress(0, 60);
  ticket.progress(0, 30);
  assert.ok(expectedWait() < before / 2, `${expectedWait()} s after ${before} s`);
});
