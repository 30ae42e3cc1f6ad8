import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { invalidGrammar } from "../errors/errors.js";
import { scriptedPool, scriptedTask as task } from "../fixtures/scripted-pool.js";
import { GenerationFailed, type RunningTask, WorkerLost } from "./pool.js";

test("a task ends with its worker's result", async (context) => {
  const pool = scriptedPool(context);
  await pool.ready;
  const outcome = await pool.run(task("finish")).outcome;
  assert.equal(outcome.type, "finished");
});

test("capacity counts the slots of workers that have loaded the model", async (context) => {
  const pool = scriptedPool(context, { workers: 2, slots: 3 });
  assert.equal(pool.capacity, 0);
  await pool.ready;
  assert.equal(pool.capacity, 6);
});

test("a worker's remark is emitted once", async (context) => {
  const pool = scriptedPool(context, { workers: 2, start: "ready remark" });
  const remarks: string[] = [];
  pool.on("remark", (text) => remarks.push(text));
  await pool.ready;
  assert.deepEqual(remarks, ["not as planned"]);
});

test("one worker runs as many tasks at once as it has slots", async (context) => {
  const pool = scriptedPool(context, { slots: 3 });
  await pool.ready;
  const held = ["hold-1", "hold-2"].map((id) => pool.run(task(id)));
  assert.equal((await pool.run(task("finish")).outcome).type, "finished");
  for (const one of held) one.cancel();
  for (const one of held) assert.equal((await one.outcome).type, "cancelled");
});

test("capacity is at most the concurrency", async (context) => {
  const pool = scriptedPool(context, { workers: 2, slots: 3, concurrency: 5 });
  await pool.ready;
  assert.equal(pool.capacity, 5);
});

test("tasks go to the worker with less to do", async (context) => {
  const pool = scriptedPool(context, { workers: 2, slots: 2 });
  await pool.ready;
  const held = pool.run(task("hold"));
  const threads = [];
  for (let n = 0; n < 2; n++) {
    const outcome = await pool.run(task("finish")).outcome;
    threads.push(outcome.type === "finished" && outcome.generated);
  }
  assert.equal(threads[0], threads[1]);
  held.cancel();
  await held.outcome;
});

test("a lone task goes to the first device's worker, whoever is ready first, and to its successor", async (context) => {
  const pool = scriptedPool(context, { workers: 3, start: "slow ready ready" });
  await pool.ready;
  // Nothing else keeps the process alive while a successor loads.
  const timer = setInterval(() => {}, 1000);
  context.after(() => clearInterval(timer));
  for (const id of ["where-1", "where-2"]) {
    assert.equal(await threadOf(pool.run(task(id))), "device 0");
    await assert.rejects(pool.run(task("crash")).outcome, WorkerLost);
    while (pool.capacity < 12) await once(pool, "capacity");
  }
  assert.equal(await threadOf(pool.run(task("where-3"))), "device 0");
});

/** Where a task ran: the id of its thread, or its device. */
async function threadOf(job: RunningTask): Promise<string | false> {
  const outcome = await job.outcome;
  return outcome.type === "finished" && outcome.generated;
}

test("a repeated prompt goes to the worker that had it", async (context) => {
  const pool = scriptedPool(context, { workers: 2, slots: 2 });
  await pool.ready;
  const promptIds = Array.from({ length: 64 }, (_, id) => id);
  const held = pool.run(task("hold"));
  const first = await threadOf(pool.run({ ...task("finish-1"), promptIds }));
  held.cancel();
  await held.outcome;
  // Both workers are idle: a new prompt goes to the first, the repeated one to the second.
  assert.notEqual(await threadOf(pool.run(task("finish-2"))), first);
  assert.equal(await threadOf(pool.run({ ...task("finish-3"), promptIds })), first);
});

test("a read prompt no longer counts as waiting time", async (context) => {
  const pool = scriptedPool(context, { workers: 2 });
  await pool.ready;
  const promptIds = Array.from({ length: 200 }, (_, id) => id);
  let heard = () => {};
  const told = new Promise<void>((resolve) => {
    heard = resolve;
  });
  const watch = pool.run({ ...task("hold-watch"), maxTokens: 20, onText: () => heard() });
  const long = pool.run({ ...task("read"), promptIds });
  await told;
  // The other worker has more tokens to write.
  const thread = await threadOf(pool.run({ ...task("finish"), maxTokens: 10 }));
  long.cancel();
  assert.equal(thread, await threadOf(long));
  watch.cancel();
  await watch.outcome;
});

test("a task's text arrives while its worker writes it, and none after the outcome", async (context) => {
  const pool = scriptedPool(context);
  await pool.ready;
  const heard: string[] = [];
  const write = (id: string, texts: number) =>
    new Promise<RunningTask>((resolve) => {
      let left = texts;
      const onText = (text: string, tokens: number) => {
        heard.push(`${id}: ${text} ${tokens}`);
        if (--left === 0) resolve(job);
      };
      const job: RunningTask = pool.run({ ...task(id), onText });
    });
  const first = await write("write-1", 2);
  first.cancel();
  assert.equal((await first.outcome).type, "finished");
  // This worker first sends another text of the ended task, which must be dropped.
  const second = await write("write-2", 1);
  assert.deepEqual(heard, ["write-1: a 1", "write-1: c 3", "write-2: a 1"]);
  second.cancel();
  await second.outcome;
});

test("cancelling one task leaves the worker's other tasks alone", async (context) => {
  const pool = scriptedPool(context);
  await pool.ready;
  const [one, other] = [pool.run(task("hold-1")), pool.run(task("hold-2"))];
  one.cancel();
  assert.equal((await one.outcome).type, "cancelled");
  const pending = Symbol();
  assert.equal(
    await Promise.race([other.outcome, pool.run(task("finish")).outcome.then(() => pending)]),
    pending,
  );
  other.cancel();
  await other.outcome;
});

test("cancelling a task that has ended does nothing", async (context) => {
  const pool = scriptedPool(context);
  await pool.ready;
  const job = pool.run(task("finish"));
  await job.outcome;
  job.cancel();
  assert.equal((await pool.run(task("finish")).outcome).type, "finished");
});

test("a sequence's failure leaves others alone", async (context) => {
  const pool = scriptedPool(context);
  await pool.ready;
  const held = pool.run(task("hold"));
  await assert.rejects(pool.run(task("fail")).outcome, new GenerationFailed("the sequence failed"));
  await assert.rejects(pool.run(task("misshape")).outcome, invalidGrammar("no text has this form"));
  held.cancel();
  assert.equal((await held.outcome).type, "cancelled");
});

test("a task that ends without a result is lost, not pending for ever", async (context) => {
  const pool = scriptedPool(context);
  await pool.ready;
  await assert.rejects(pool.run(task("silent")).outcome, WorkerLost);
});

for (const [what, reason] of [
  ["crash", "the worker crashed"],
  ["exit", "worker exited with code: 3"],
] as const) {
  test(`a worker that dies (${what}) loses its tasks at once, and its successor gets its device`, async (context) => {
    const pool = scriptedPool(context);
    await pool.ready;
    const held = assert.rejects(pool.run(task("hold")).outcome, new WorkerLost(reason));
    const lost = once(pool, "lost");
    await assert.rejects(pool.run(task(what)).outcome, new WorkerLost(reason));
    await held;
    await lost;
    assert.equal(pool.capacity, 0);
    await once(pool, "capacity");
    assert.equal(pool.capacity, 4);
    assert.equal((await pool.run(task("finish")).outcome).type, "finished");
  });
}

test("the other workers go on when one dies", async (context) => {
  const pool = scriptedPool(context, { workers: 2, slots: 1 });
  await pool.ready;
  const held = pool.run(task("hold"));
  await assert.rejects(pool.run(task("crash")).outcome, WorkerLost);
  held.cancel();
  assert.equal((await held.outcome).type, "cancelled");
  while (pool.capacity < 2) await once(pool, "capacity");
});

test("a worker that dies right after sending a result loses nothing", async (context) => {
  const pool = scriptedPool(context);
  await pool.ready;
  assert.equal((await pool.run(task("last")).outcome).type, "finished");
});

test("a pool recovers again and again", async (context) => {
  const pool = scriptedPool(context);
  await pool.ready;
  for (let n = 0; n < 3; n++) {
    await assert.rejects(pool.run(task("crash")).outcome, WorkerLost);
    while (pool.capacity === 0) await once(pool, "capacity");
  }
});

for (const [start, reason] of [
  ["fail", "cannot load"],
  ["throw", "cannot be imported"],
  ["exit", "a worker ended before it had loaded the model"],
] as const) {
  test(`a worker that cannot start (${start}) rejects the pool's start with its reason`, async (context) => {
    const pool = scriptedPool(context, { start });
    await assert.rejects(pool.ready, { message: reason });
  });
}

test("one worker of two that cannot load rejects the start", async (context) => {
  const pool = scriptedPool(context, { workers: 2, start: "ready fail" });
  await assert.rejects(pool.ready, { message: "cannot load" });
});

for (const start of ["fail", "throw", "exit"]) {
  test(`the pool is down when no worker is left and the successor cannot start (${start})`, async (context) => {
    const pool = scriptedPool(context);
    await pool.ready;
    process.env.SCRIPTED_WORKER_START = start;
    context.after(() => delete process.env.SCRIPTED_WORKER_START);
    const down = once(pool, "down");
    await assert.rejects(pool.run(task("crash")).outcome, WorkerLost);
    assert.equal(typeof (await down)[0], "string");
    assert.equal(pool.capacity, 0);
  });
}

test("the pool is down when a successor keeps dying while it loads, even if another worker is left", async (context) => {
  const pool = scriptedPool(context, { workers: 2 });
  await pool.ready;
  process.env.SCRIPTED_WORKER_START = "late";
  context.after(() => delete process.env.SCRIPTED_WORKER_START);
  let told = 0;
  pool.on("down", () => told++);
  const down = once(pool, "down");
  const held = pool.run(task("hold"));
  await assert.rejects(pool.run(task("crash")).outcome, WorkerLost);
  await down;
  assert.equal(pool.capacity, 4);
  held.cancel();
  assert.equal((await held.outcome).type, "cancelled");
  await pool.close();
  assert.equal(told, 1);
});

test("a successor that dies while its code is imported is followed by another", async (context) => {
  const pool = scriptedPool(context, { workers: 2 });
  await pool.ready;
  // Nothing else keeps the process alive while a successor loads.
  const timer = setInterval(() => {}, 1000);
  context.after(() => clearInterval(timer));
  process.env.SCRIPTED_WORKER_START = "exit";
  context.after(() => delete process.env.SCRIPTED_WORKER_START);
  await assert.rejects(pool.run(task("crash")).outcome, WorkerLost);
  while (pool.workers.failedStarts === 0) await new Promise((resolve) => setImmediate(resolve));
  delete process.env.SCRIPTED_WORKER_START;
  while (pool.workers.loaded < 2) await once(pool, "capacity");
});

test("a worker is renewed once it has no work, the oldest first, and nobody is told of a death", async (context) => {
  const pool = scriptedPool(context, { workers: 2, slots: 2 });
  await pool.ready;
  // Nothing else keeps the process alive while a successor loads.
  const timer = setInterval(() => {}, 1000);
  context.after(() => clearInterval(timer));
  pool.on("lost", () => assert.fail("expected no death"));
  const held = [pool.run(task("hold-1")), pool.run(task("hold-2"))];
  pool.renew();
  assert.equal(pool.isWhole, false);
  assert.equal(pool.capacity, 3);
  // All that comes goes to the other worker.
  const others = new Set<string | false>();
  for (let n = 0; n < 4; n++) others.add(await threadOf(pool.run(task("finish"))));
  assert.equal(others.size, 1);
  assert.equal(pool.workers.loaded, 2);
  // A second call does nothing while one is being renewed.
  pool.renew();
  for (const one of held) one.cancel();
  for (const one of held) assert.equal((await one.outcome).type, "cancelled");
  while (!pool.isWhole) await once(pool, "capacity");
  assert.equal(pool.capacity, 4);
  const [other] = others;
  const both = [pool.run(task("finishLater-1")), pool.run(task("finishLater-2"))];
  const now = await Promise.all(both.map(threadOf));
  assert.ok(now.includes(other!));
  assert.equal(new Set(now).size, 2);
});

test("the only worker is renewed, and what comes meanwhile waits", async (context) => {
  const pool = scriptedPool(context);
  await pool.ready;
  const first = await threadOf(pool.run(task("finish")));
  pool.renew();
  assert.equal(pool.capacity, 0);
  assert.notEqual(await threadOf(pool.run(task("finish"))), first);
});

test("closing ends running tasks", async (context) => {
  const pool = scriptedPool(context);
  await pool.ready;
  const held = assert.rejects(pool.run(task("hold")).outcome, WorkerLost);
  await pool.close();
  await held;
});

test("a task without text tells when its first token is there", async (context) => {
  const pool = scriptedPool(context);
  await pool.ready;
  let tell!: () => void;
  const read = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const job = pool.run({ ...task("read"), onRead: tell });
  await read;
  job.cancel();
  assert.equal((await job.outcome).type, "finished");
});
