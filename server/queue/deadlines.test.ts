import assert from "node:assert/strict";
import { test } from "node:test";
import { type Deadline, DeadlineExceeded, Deadlines, within } from "./deadlines.js";
import { holdQueue } from "./fixtures/held-queue.js";
import { settled } from "./fixtures/virtual-clock.js";

const exceeded = (deadline: Deadline, seconds: number) => ({ name: "DeadlineExceeded", deadline, seconds });

/** Whether a promise has settled by now. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let is = false;
  const note = () => {
    is = true;
  };
  promise.then(note, note);
  await settled();
  return is;
}

test("a request that waits too long is given up at its deadline, though no slot becomes free", async () => {
  const { queue, clock, started, enter } = holdQueue();
  enter("a");
  const { done } = enter("b", { timeouts: { queue: 2.5 } });
  await clock.advance(2499);
  assert.equal(await isSettled(done), false);
  await clock.advance(1);
  await assert.rejects(done, exceeded("queue", 2.5));
  assert.deepEqual([started, queue.waiting, queue.running], [["a"], 0, 1]);
});

test("the wait begins with the reservation and ends with the start", async () => {
  const { clock, reserve, submit, enter, execution } = holdQueue();
  const { done: running } = enter("a", { timeouts: { queue: 1 } });
  const ticket = reserve({ timeouts: { queue: 3 } });
  await clock.advance(2000);
  const done = submit(ticket, "b");
  await clock.advance(999);
  execution("a").end("A");
  assert.equal((await running).outcome, "A");
  await clock.advance(60_000);
  execution("b").end("B");
  assert.equal((await done).outcome, "B");
});

test("a deadline that passes before the submission takes the place back, and is told then", async () => {
  const { queue, clock, started, reserve, submit } = holdQueue();
  const ticket = reserve({ timeouts: { total: 1 } });
  await clock.advance(1000);
  await queue.drain();
  await assert.rejects(submit(ticket, "a"), exceeded("total", 1));
  assert.deepEqual(started, []);
});

test("an outcome is told when the slot is free again, though a deadline has ended the request before", async () => {
  const { clock, reserve, execution } = holdQueue();
  const outcomes: [string, string | null][] = [];
  const submit = (item: string, timeouts: object) =>
    reserve({ timeouts }).submit([
      {
        ...{ item, extent: { promptTokens: 10, most: 100 } },
        onOutcome: (outcome) => outcomes.push([item, outcome]),
      },
    ])[0]!;
  const running = submit("a", { total: 5 });
  const waiting = submit("b", { queue: 2 });
  await clock.advance(2000);
  await assert.rejects(waiting, exceeded("queue", 2));
  assert.deepEqual(outcomes, [["b", null]]);
  await clock.advance(3000);
  await assert.rejects(running, exceeded("total", 5));
  assert.equal(outcomes.length, 1);
  execution("a").end("A");
  await settled();
  assert.deepEqual(outcomes[1], ["a", "A"]);
  const failing = submit("c", {});
  execution("c").fail(new Error("broken"));
  await assert.rejects(failing, /broken/);
  assert.deepEqual(outcomes[2], ["c", null]);
});

test("a running request's deadline is told at once, and its slot stays taken until the worker lets go", async () => {
  const { queue, clock, started, cancelled, enter, execution } = holdQueue();
  const { done } = enter("a", { timeouts: { total: 5 } });
  enter("b");
  await clock.advance(5000);
  await assert.rejects(done, exceeded("total", 5));
  assert.deepEqual([cancelled, started, queue.running], [["a"], ["a"], 1]);
  execution("a").end("cancelled");
  await settled();
  assert.deepEqual([started, queue.running], [["a", "b"], 1]);
});

test("the first token has its own deadline, from the reservation on", async () => {
  const { clock, enter, execution } = holdQueue({ slots: 2 });
  const late = enter("a", { timeouts: { firstToken: 2 } });
  const early = enter("b", { timeouts: { firstToken: 2 } });
  assert.equal(late.ticket.wantsProgress, true);
  await clock.advance(1999);
  early.ticket.progress();
  await clock.advance(1);
  await assert.rejects(late.done, exceeded("firstToken", 2));
  await clock.advance(60_000);
  execution("b").end("B");
  assert.equal((await early.done).outcome, "B");
});

test("a stall is a pause after a token, however long the whole takes", async () => {
  const { clock, cancelled, enter } = holdQueue();
  const { ticket, done } = enter("a", { timeouts: { stall: 1 } });
  await clock.advance(30_000);
  for (let n = 0; n < 50; n++) {
    ticket.progress();
    await clock.advance(999);
  }
  assert.equal(await isSettled(done), false);
  await clock.advance(1);
  await assert.rejects(done, exceeded("stall", 1));
  assert.deepEqual(cancelled, ["a"]);
});

test("what waits does not stall, and what starts later has its own time", async () => {
  const { clock, reserve, execution, enter } = holdQueue({ limit: 10 });
  const ticket = reserve({ sequences: 2, timeouts: { stall: 1 } });
  const [a, b] = ticket.submit(["a", "b"].map((item) => ({ item, extent: { promptTokens: 10, most: 90 } })));
  const other = enter("other", { caller: "other" });
  ticket.progress();
  await clock.advance(500);
  execution("a").end("A");
  await a;
  await clock.advance(60_000);
  execution("other").end("");
  await other.done;
  await clock.advance(999);
  assert.equal(await isSettled(b!), false);
  await clock.advance(1);
  await assert.rejects(b!, exceeded("stall", 1));
});

test("a deadline ends all of a request's sequences, running and waiting", async () => {
  const { queue, clock, cancelled, reserve } = holdQueue();
  const ticket = reserve({ sequences: 3, timeouts: { total: 1 } });
  const promises = ticket.submit(
    ["a", "b", "c"].map((item) => ({ item, extent: { promptTokens: 10, most: 90 } })),
  );
  await clock.advance(1000);
  for (const promise of promises) await assert.rejects(promise, exceeded("total", 1));
  assert.deepEqual([cancelled, queue.waiting, queue.running], [["a"], 0, 1]);
});

test("nothing is left ticking once a request has ended or was given up", async () => {
  const { clock, enter, reserve, execution } = holdQueue({ limit: 10 });
  const timeouts = { queue: 1, firstToken: 2, stall: 3, total: 4 };
  const first = enter("a", { timeouts });
  const second = enter("b", { timeouts });
  const third = reserve({ timeouts });
  first.ticket.progress();
  second.ticket.cancel();
  third.cancel();
  execution("a").end("A");
  await first.done;
  assert.equal(clock.timers.size, 0);
});

test("the server's own deadlines hold for all, and a request's only if they are shorter", async () => {
  const { clock, enter } = holdQueue({ slots: 3, timeouts: { total: 10 } });
  const none = enter("a").done;
  const longer = enter("b", { timeouts: { total: 60 } }).done;
  const shorter = enter("c", { timeouts: { total: 3 } }).done;
  await clock.advance(3000);
  await assert.rejects(shorter, exceeded("total", 3));
  await clock.advance(7000);
  await assert.rejects(none, exceeded("total", 10));
  await assert.rejects(longer, exceeded("total", 10));
  assert.deepEqual(within({}, {}), {});
  assert.deepEqual(within({ queue: 5 }, { queue: undefined, stall: 1 }), { queue: 5, stall: 1 });
});

test("without deadlines for tokens nobody has to tell of them", () => {
  const { reserve } = holdQueue();
  assert.equal(reserve({ timeouts: { queue: 1, total: 1 } }).wantsProgress, false);
  assert.equal(reserve({ timeouts: { stall: 1 } }).wantsProgress, true);
  assert.ok(new DeadlineExceeded("stall", 1).message.includes("1 s for the next token"));
});

test("a deadline further away than a timer can wait is waited for in parts", () => {
  const timers: { ms: number; callback: () => void }[] = [];
  const after = (ms: number, callback: () => void) => {
    timers.push({ ms, callback });
    return () => {};
  };
  new Deadlines({ total: 1e99 }, { now: () => 0, after }, assert.fail);
  timers[0]!.callback();
  assert.deepEqual(
    timers.map(({ ms }) => ms),
    [2 ** 31 - 1, 2 ** 31 - 1],
  );
});
