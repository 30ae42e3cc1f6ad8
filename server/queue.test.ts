import assert from "node:assert/strict";
import { test } from "node:test";
import { Queue, type QueueRefusal, Removed, type Standing } from "./queue/queue.js";

/** A queue whose jobs end when the test says so. */
function createQueue({ slots = 1, limit = 2 } = {}) {
  const started: string[] = [];
  const cancelled: string[] = [];
  const jobs = new Map<string, { end: (outcome: string) => void; fail: (error: Error) => void }>();
  const state = { now: 0, capacity: slots };
  const timers: { ms: number; callback: () => void }[] = [];
  const queue = new Queue<string, string>({
    limit,
    slots,
    capacity: () => state.capacity,
    now: () => state.now,
    after: (ms, callback) => timers.push({ ms, callback }),
    start: (id) => {
      started.push(id);
      const outcome = new Promise<string>((end, fail) => jobs.set(id, { end, fail }));
      return { outcome, cancel: () => cancelled.push(id) };
    },
  });
  queue.open();
  const enter = (id: string) => {
    queue.reserve(id);
    return queue.submit(id, id);
  };
  const job = (id: string) => jobs.get(id)!;
  /** Lets the time pass that the queue waits for. */
  const tick = () => {
    for (const { callback } of timers.splice(0)) callback();
  };
  return { queue, started, cancelled, state, timers, enter, job, tick };
}

const refused = (reason: QueueRefusal["reason"]) => ({ name: "QueueRefusal", reason });
/** Lets every promise that is settled by now tell those who wait for it. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test("jobs start in the order in which they came, as slots become free", async () => {
  const { started, enter, job } = createQueue({ slots: 2, limit: 2 });
  const done = ["a", "b", "c", "d"].map(enter);
  assert.deepEqual(started, ["a", "b"]);
  job("b").end("B");
  assert.equal((await done[1]!).outcome, "B");
  assert.deepEqual(started, ["a", "b", "c"]);
  job("c").end("C");
  await done[2];
  assert.deepEqual(started, ["a", "b", "c", "d"]);
});

test("beyond the slots and the limit a request is refused before anything is done for it", async () => {
  const { queue, enter, job } = createQueue({ slots: 1, limit: 1 });
  const first = enter("a");
  void enter("b");
  assert.throws(() => queue.reserve("c"), refused("full"));
  job("a").end("A");
  await first;
  assert.doesNotThrow(() => queue.reserve("c"));
});

test("a reserved place counts before it is submitted", () => {
  const { queue } = createQueue({ slots: 1, limit: 0 });
  queue.reserve("a");
  assert.throws(() => queue.reserve("b"), refused("full"));
  queue.remove("a");
  assert.doesNotThrow(() => queue.reserve("b"));
});

test("a limit of 0 lets nothing wait", () => {
  const { queue, enter } = createQueue({ slots: 2, limit: 0 });
  void enter("a");
  void enter("b");
  assert.throws(() => queue.reserve("c"), refused("full"));
});

test("a request that waits and is removed never starts, and its place is free at once", async () => {
  const { queue, started, cancelled, enter, job } = createQueue({ slots: 1, limit: 1 });
  const first = enter("a");
  const second = assert.rejects(enter("b"), Removed);
  queue.remove("b");
  await second;
  void enter("c");
  job("a").end("A");
  await first;
  assert.deepEqual(started, ["a", "c"]);
  assert.deepEqual(cancelled, []);
});

test("a running request that is removed is cancelled, alone, and keeps its slot until its job has ended", async () => {
  const { queue, started, cancelled, enter, job } = createQueue({ slots: 2, limit: 1 });
  const first = enter("a");
  void enter("b");
  void enter("c");
  queue.remove("a");
  assert.deepEqual(cancelled, ["a"]);
  assert.deepEqual(started, ["a", "b"]);
  job("a").end("cancelled");
  assert.equal((await first).outcome, "cancelled");
  assert.deepEqual(started, ["a", "b", "c"]);
  assert.equal(queue.running, 2);
});

test("removing an id that is not there does nothing", async () => {
  const { queue, cancelled, enter, job } = createQueue();
  const first = enter("a");
  queue.remove("b");
  job("a").end("A");
  await first;
  queue.remove("a");
  assert.deepEqual(cancelled, []);
  assert.equal(queue.running, 0);
});

test("a request that is removed between its reservation and its submission is not queued", async () => {
  const { queue, started } = createQueue();
  queue.reserve("a");
  queue.remove("a");
  await assert.rejects(queue.submit("a", "a"), Removed);
  assert.deepEqual(started, []);
});

test("a job's failure is its own and frees its slot", async () => {
  const { started, enter, job } = createQueue();
  const first = assert.rejects(enter("a"), /broken/);
  void enter("b");
  job("a").fail(new Error("broken"));
  await first;
  assert.deepEqual(started, ["a", "b"]);
});

test("an id cannot hold two places", () => {
  const { queue } = createQueue();
  queue.reserve("a");
  assert.throws(() => queue.reserve("a"), /expected a new id, got a again/);
});

test("nothing starts beyond the capacity of the moment, and all that waits starts when it is back", async () => {
  const { queue, started, state, enter } = createQueue({ slots: 2, limit: 2 });
  state.capacity = 0;
  void enter("a");
  void enter("b");
  void enter("c");
  assert.deepEqual(started, []);
  state.capacity = 2;
  queue.dispatch();
  assert.deepEqual(started, ["a", "b"]);
  assert.equal(queue.waiting, 1);
});

test("draining refuses the new, finishes the admitted, then resolves", async () => {
  const { queue, started, enter, job } = createQueue();
  const done = ["a", "b"].map(enter);
  let drained = false;
  const drain = queue.drain().then(() => {
    drained = true;
  });
  assert.throws(() => queue.reserve("c"), refused("draining"));
  job("a").end("A");
  await done[0];
  await settled();
  assert.deepEqual([started, drained], [["a", "b"], false]);
  job("b").end("B");
  assert.equal((await done[1]!).outcome, "B");
  await drain;
});

test("draining an empty queue resolves at once, and it never opens again", async () => {
  const { queue } = createQueue();
  await queue.drain();
  queue.open();
  assert.throws(() => queue.reserve("a"), refused("draining"));
});

test("clear removes what is reserved and waits, and cancels what runs", async () => {
  const { queue, cancelled, enter, job } = createQueue({ slots: 1, limit: 3 });
  const running = enter("a");
  const waiting = assert.rejects(enter("b"), Removed);
  queue.reserve("c");
  const drain = queue.drain();
  queue.clear();
  await waiting;
  assert.deepEqual(cancelled, ["a"]);
  job("a").end("cancelled");
  await running;
  await drain;
});

test("while loading everything is refused, to come back after as long again as loading has taken", () => {
  let now = 0;
  const queue = new Queue({
    limit: 1,
    slots: 1,
    capacity: () => 0,
    start: () => assert.fail(),
    now: () => now,
  });
  assert.throws(() => queue.reserve("a"), { ...refused("loading"), retryAfter: 1 });
  now = 3500;
  assert.throws(() => queue.reserve("a"), { ...refused("loading"), retryAfter: 4 });
});

test("a full queue says when those who wait will have had their turn", async () => {
  const { queue, state, enter, job } = createQueue({ slots: 2, limit: 4 });
  assert.equal(queue.retryAfter(), 1);
  const first = enter("a");
  state.now = 4000;
  job("a").end("A");
  await first;
  for (const id of ["b", "c", "d", "e", "f", "g"]) void enter(id);
  // Four wait and this would be the fifth; two slots, four seconds each.
  assert.throws(() => queue.reserve("h"), { ...refused("full"), retryAfter: 10 });
});

test("a done request knows how long it waited and ran", async () => {
  const { state, enter, job } = createQueue();
  const first = enter("a");
  const second = enter("b");
  state.now = 30;
  job("a").end("A");
  assert.deepEqual(await first, { outcome: "A", queueMs: 0, runMs: 30 });
  state.now = 100;
  job("b").end("B");
  assert.deepEqual(await second, { outcome: "B", queueMs: 30, runMs: 70 });
});

test("who has to wait is told at once where it stands, and again a second after that has changed", async () => {
  const { queue, state, timers, enter, job, tick } = createQueue({ slots: 2, limit: 10 });
  const told: Record<string, Standing[]> = {};
  const watch = (id: string) => {
    queue.reserve(id);
    const standings: Standing[] = [];
    told[id] = standings;
    return queue.submit(id, id, (standing) => standings.push(standing));
  };
  const first = enter("a");
  state.now = 4000;
  job("a").end("A");
  await first;
  // Two slots, four seconds each.
  for (const id of ["b", "c"]) void watch(id);
  const removed = watch("d").catch(() => {});
  void watch("e");
  assert.deepEqual([told.b, told.c], [[], []]);
  assert.deepEqual(told.d, [{ position: 1, expectedWait: 2 }]);
  assert.deepEqual(told.e, [{ position: 2, expectedWait: 4 }]);
  tick();
  assert.equal(told.e?.length, 1, "nothing has changed");
  void watch("f");
  queue.remove("d");
  await removed;
  assert.equal(told.e?.length, 1, "not at once");
  assert.deepEqual(
    timers.map(({ ms }) => ms),
    [1000],
  );
  tick();
  assert.deepEqual(told.e?.at(-1), { position: 1, expectedWait: 2 });
  assert.deepEqual(told.f, [
    { position: 3, expectedWait: 6 },
    { position: 2, expectedWait: 4 },
  ]);
});

test("many changes within a second are told as one, and not to those who have started", async () => {
  const { queue, timers, enter, job, tick } = createQueue({ slots: 1, limit: 10 });
  void enter("a");
  const told: string[] = [];
  for (const id of ["b", "c", "d"]) {
    queue.reserve(id);
    void queue.submit(id, id, ({ position }) => told.push(`${id}${position}`));
  }
  job("a").end("A");
  await settled();
  job("b").end("B");
  await settled();
  assert.equal(timers.length, 1);
  tick();
  assert.deepEqual(told, ["b1", "c2", "d3", "d1"]);
  job("c").end("C");
  await settled();
  assert.equal(timers.length, 0, "nobody waits");
});

test("until a request has finished, the age of the oldest that runs is the pace", () => {
  const { queue, state, enter } = createQueue({ slots: 1 });
  void enter("a");
  state.now = 3000;
  let wait: number | undefined;
  queue.reserve("b");
  void queue.submit("b", "b", ({ expectedWait }) => {
    wait = expectedWait;
  });
  assert.equal(wait, 3);
});
