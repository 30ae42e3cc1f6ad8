// Reruns on workers that have no model and die on demand; server/serve/deaths.test.ts has real ones.
import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { type ScriptedPoolOptions, scriptedPool, scriptedTask as task } from "../fixtures/scripted-pool.js";
import { type Death, type Outcome, type RunningTask, type Task, WorkerLost } from "./pool.js";
import { Reruns } from "./rerun.js";

const patience = { least: 200, first: 200, most: 200, runs: 20, look: 20 };

async function start(context: TestContext, options: ScriptedPoolOptions = {}) {
  const pool = scriptedPool(context, { ...options, patience });
  await pool.ready;
  return { pool, reruns: new Reruns(pool) };
}

/** Records of a pool that a test drives: it says how each run ends. */
interface Started {
  task: Task;
  company: object | null;
  cancelled: boolean;
  end(outcome: Outcome): void;
  lose(death: Death): void;
}

function drivenPool() {
  const started: Started[] = [];
  const pool = {
    isClosing: false,
    run(task: Task, company: object | null = null): RunningTask {
      let end!: (outcome: Outcome | Promise<Outcome>) => void;
      const outcome = new Promise<Outcome>((resolve) => {
        end = resolve;
      });
      const lose = (death: Death) => end(Promise.reject(new WorkerLost("killed", death)));
      const one: Started = { task, company, cancelled: false, end, lose };
      started.push(one);
      const cancel = () => {
        one.cancelled = true;
      };
      return { outcome, cancel };
    },
  };
  const settle = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  return { pool, started, settle };
}

const finished = (generated: string, completionTokens: number): Outcome => ({
  type: "finished",
  reason: "length",
  generated,
  fullText: generated,
  promptTokens: 1,
  cachedTokens: 0,
  draftedTokens: 0,
  acceptedTokens: 0,
  completionTokens,
  firstTokenMs: 5,
});

for (const what of ["crashOnce", "exitOnce", "loopOnce"])
  test(`tasks of a dead worker (${what}) run again, and end`, async (context) => {
    const { reruns } = await start(context);
    const all = [`${what}-a`, "finishLater-b", "finishLater-c"].map((id) => reruns.run(task(id)));
    for (const { outcome } of all) assert.equal((await outcome).type, "finished");
    assert.deepEqual(reruns.counts, { deaths: 1, reruns: 3, failed: 0 });
  });

for (const workers of [1, 2])
  test(`of many tasks on ${workers} workers, the one that kills its worker is given up alone`, async (context) => {
    const { reruns } = await start(context, { workers, slots: 8 });
    const culprit = reruns.run(task("crash-me"));
    const others = Array.from({ length: 8 * workers - 1 }, (_, n) => reruns.run(task(`finishLater-${n}`)));
    await assert.rejects(culprit.outcome, WorkerLost);
    for (const { outcome } of others) assert.equal((await outcome).type, "finished");
    assert.equal(reruns.counts.failed, 1);
    assert.ok(reruns.counts.deaths <= 6, String(reruns.counts.deaths));
  });

test("two tasks that kill their workers are both found", async (context) => {
  const { reruns } = await start(context, { slots: 8 });
  const others = Array.from({ length: 6 }, (_, n) => reruns.run(task(`finishLater-${n}`)));
  const culprits = ["crash-1", "exit-2"].map((id) => reruns.run(task(id)));
  for (const { outcome } of culprits) await assert.rejects(outcome, WorkerLost);
  for (const { outcome } of others) assert.equal((await outcome).type, "finished");
  assert.equal(reruns.counts.failed, 2);
});

test("a task that comes while suspects run apart waits, and runs", async (context) => {
  const { pool, reruns } = await start(context);
  const culprits = ["crash-1", "finishLater-2"].map((id) => reruns.run(task(id)));
  culprits[0]!.outcome.catch(() => {});
  await once(pool, "lost");
  await once(pool, "lost");
  const late = reruns.run(task("finish"));
  assert.equal((await late.outcome).type, "finished");
  await assert.rejects(culprits[0]!.outcome, WorkerLost);
  assert.equal((await culprits[1]!.outcome).type, "finished");
});

test("a task that is cancelled while its worker is replaced ends at once", async (context) => {
  const { pool, reruns } = await start(context);
  const held = reruns.run(task("hold"));
  const culprit = reruns.run(task("crashOnce"));
  await once(pool, "lost");
  held.cancel();
  assert.deepEqual(await held.outcome, { type: "cancelled", promptTokens: 0, completionTokens: 0 });
  await culprit.outcome;
});

test("when the pool closes, nothing runs again", async (context) => {
  const { pool, reruns } = await start(context);
  const held = assert.rejects(reruns.run(task("hold")).outcome, WorkerLost);
  await pool.close();
  await held;
  assert.equal(reruns.counts.reruns, 0);
});

test("a task that was told to stop when its worker died is cancelled", async () => {
  const { pool, started, settle } = drivenPool();
  const reruns = new Reruns(pool);
  const heard: string[] = [];
  const run = reruns.run(task("a", { onText: (text) => heard.push(text) }));
  started[0]!.task.onText!("ab", 2);
  run.cancel();
  assert.equal(started[0]!.cancelled, true);
  started[0]!.lose({ tasks: 1 });
  assert.deepEqual(await run.outcome, { type: "cancelled", promptTokens: 1, completionTokens: 2 });
  await settle();
  assert.equal(started.length, 1);
});

test("a rerun has an id of its own, and its text goes on where the first one ended", async () => {
  const { pool, started, settle } = drivenPool();
  let now = 0;
  const reruns = new Reruns(pool, () => now);
  const heard: [string, number][] = [];
  const run = reruns.run(task("a", { onText: (text, tokens) => heard.push([text, tokens]) }));
  now = 20;
  started[0]!.task.onText!("ab", 2);
  started[0]!.lose({ tasks: 2 });
  now = 500;
  await settle();
  assert.notEqual(started[1]!.task.id, "a");
  started[1]!.task.onText!("a", 1);
  started[1]!.task.onText!("bcd", 3);
  started[1]!.end(finished("abcde", 5));
  assert.deepEqual(heard, [
    ["ab", 2],
    ["cd", 2],
  ]);
  // The first token came in the first run.
  assert.deepEqual(await run.outcome, { ...finished("abcde", 5), firstTokenMs: 20 });
});

test("a rerun that writes another text ends with the error, once its worker has let go of it", async () => {
  for (const other of [
    (run: Started) => run.task.onText!("aX", 2),
    (run: Started) => run.end(finished("aXc", 3)),
  ]) {
    const { pool, started, settle } = drivenPool();
    const reruns = new Reruns(pool);
    const heard: string[] = [];
    const run = reruns.run(task("a", { onText: (text) => heard.push(text) }));
    started[0]!.task.onText!("ab", 2);
    started[0]!.lose({ tasks: 2 });
    await settle();
    other(started[1]!);
    started[1]!.task.onText!("more", 1);
    started[1]!.end({ type: "cancelled", promptTokens: 1, completionTokens: 2 });
    await assert.rejects(run.outcome, /other text/);
    assert.deepEqual(heard, ["ab"]);
  }
});

test("none is given up for a death at which it was not alone, however often it happens", async () => {
  const { pool, started, settle } = drivenPool();
  const reruns = new Reruns(pool);
  const names = Array.from({ length: 30 }, (_, n) => `t${n}`);
  const runs = names.map((id) => reruns.run(task(id)));
  const culprit = runs[17]!;
  culprit.outcome.catch(() => {});
  const isCulprit = ({ task }: Started) => task.id.split("~")[0] === "t17";
  let deaths = 0;
  for (let from = 0; from < started.length; ) {
    const now = started.slice(from);
    from = started.length;
    // A worker for each company: the one with the culprit dies.
    for (const company of new Set(now.map((one) => one.company))) {
      const together = now.filter((one) => one.company === company);
      const death = { tasks: together.length };
      if (together.some(isCulprit)) deaths++;
      for (const one of together) together.some(isCulprit) ? one.lose(death) : one.end(finished("ok", 1));
    }
    await settle();
  }
  await assert.rejects(culprit.outcome, WorkerLost);
  for (const run of runs.filter((run) => run !== culprit)) assert.equal((await run.outcome).type, "finished");
  assert.equal(deaths, 7);
  assert.deepEqual(reruns.counts, { deaths: 7, reruns: 30 + 30 + 15 + 8 + 4 + 2, failed: 1 });
});
