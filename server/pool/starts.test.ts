// Threads that hang or fail while they load the model: the first ones, and successors of dead ones.
import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { scriptedPool, scriptedTask as task } from "../fixtures/scripted-pool.js";
import { type Pool, WorkerLost } from "./pool.js";
import { PATIENCE } from "./watch.js";

/** Far longer than a scripted worker takes. */
const LIMIT_MS = 1500;

function createPool(context: TestContext, workers: number, { first = 60_000, start = "ready" } = {}): Pool {
  context.after(() => {
    delete process.env.SCRIPTED_WORKER_START;
  });
  return scriptedPool(context, {
    workers,
    start,
    patience: { ...PATIENCE, look: 20 },
    loading: { least: LIMIT_MS, first, most: LIMIT_MS, runs: 0 },
  });
}

/** Kills a worker whose successors start in this way. */
async function killBefore(pool: Pool, start: string): Promise<void> {
  process.env.SCRIPTED_WORKER_START = start;
  await assert.rejects(pool.run(task("crash")).outcome, WorkerLost);
}

for (const [start, what] of [
  ["loop", "while its code is imported"],
  ["silent", "while the model is loaded"],
] as const)
  test(`a successor that hangs ${what} is ended and replaced`, async (context) => {
    const pool = createPool(context, 2);
    await pool.ready;
    let reason = "";
    pool.once("hung", (why) => {
      // The next one starts right after this event.
      delete process.env.SCRIPTED_WORKER_START;
      reason = why;
    });
    await killBefore(pool, start);
    while (pool.capacity < 8) await once(pool, "capacity");
    assert.equal(reason, `a worker had not loaded the model after ${LIMIT_MS / 1000} s`);
    assert.deepEqual(pool.workers, { loaded: 2, stalled: 0, failedStarts: 1 });
  });

test("a successor that says that it can't load is ended after a pause, and replaced", async (context) => {
  const pool = createPool(context, 2);
  await pool.ready;
  await killBefore(pool, "fail");
  while (pool.workers.failedStarts < 1) await new Promise((resolve) => setTimeout(resolve, 10));
  delete process.env.SCRIPTED_WORKER_START;
  while (pool.capacity < 8) await once(pool, "capacity");
  assert.deepEqual(pool.workers, { loaded: 2, stalled: 0, failedStarts: 1 });
});

test("the pool is down when the only worker's successor hangs", async (context) => {
  const pool = createPool(context, 1);
  await pool.ready;
  const down = once(pool, "down");
  await killBefore(pool, "loop");
  assert.deepEqual(await down, [`a worker had not loaded the model after ${LIMIT_MS / 1000} s`]);
});

for (const start of ["loop", "silent", "ready loop"])
  test(`a first start that hangs (${start}) is rejected with the reason`, async (context) => {
    const pool = createPool(context, 2, { first: LIMIT_MS, start });
    await assert.rejects(pool.ready, {
      message: `a worker had not loaded the model after ${LIMIT_MS / 1000} s`,
    });
  });
