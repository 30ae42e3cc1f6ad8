import assert from "node:assert/strict";
import { test } from "node:test";
import { Callers } from "../keys/callers.js";
import { hashKey, unlimited } from "../settings/key.js";
import { serve } from "./fixtures/jobs.js";

test("a caller who has reached a limit does not delay other callers' jobs", async (context) => {
  const key = (name: string, concurrentRequests: number | null) => ({
    ...{ name, hash: hashKey(name), priority: 0 },
    limits: { ...unlimited, concurrentRequests },
  });
  const callers = new Callers([key("anna", 1), key("ben", null)]);
  const { create, jobs, until, assembly } = await serve(context, { callers, slots: 4 });
  for (let n = 1; n <= 3; n++) await create({ prompt: "x", max_tokens: n }, { "x-api-key": "anna" });
  await create({ prompt: "x", max_tokens: 9 }, { "x-api-key": "ben" });
  await until(() => jobs.length === 2);
  assert.deepEqual(jobs.map(({ task }) => task.maxTokens).sort(), [1, 9]);
  assert.equal(assembly.parts.jobs.line.size, 2);
  for (const maxTokens of [1, 2]) {
    jobs.find(({ task }) => task.maxTokens === maxTokens)!.finish();
    await until(() => jobs.length === maxTokens + 2);
    assert.equal(jobs.at(-1)!.task.maxTokens, maxTokens + 1);
  }
  assert.equal(callers.named("anna")!.ledger.total.refused, 0, "the jobs were put off, not refused");
});

test("a job whose key was removed fails", async (context) => {
  const anna = { name: "anna", hash: hashKey("anna"), priority: 0, limits: unlimited };
  const callers = new Callers([anna]);
  const { create, queue, assembly } = await serve(context, { callers, loading: true });
  const { id } = await create({ prompt: "x" }, { "x-api-key": "anna" });
  callers.replace([]);
  const ended = new Promise<void>((resolve) => assembly.parts.jobs.onEnd(() => resolve()));
  queue.open();
  assembly.dispatch();
  await ended;
  const job = assembly.parts.jobs.find("anna", id)!;
  assert.deepEqual([job.state, job.failure?.code], ["failed", "unauthorized"]);
});

test("jobs only fill free slots, and wait while requests wait", async (context) => {
  const { ask, create, jobs, until, queue, assembly } = await serve(context, { slots: 2, limit: 8 });
  for (let n = 0; n < 6; n++) await create({ prompt: "job", max_tokens: 1 });
  await until(() => jobs.length === 2);
  assert.equal(queue.waiting, 0, "the other jobs wait in the store");
  const requests = Array.from({ length: 3 }, () =>
    ask("POST", "/generate", { prompt: "request", max_tokens: 2 }),
  );
  await new Promise<void>((resolve) => {
    const look = () => (queue.waiting === 3 ? resolve() : setImmediate(look));
    look();
  });
  const order: number[] = [];
  for (let n = 0; n < 9; n++) {
    await until(() => jobs.length > n);
    order.push(jobs[n]!.task.maxTokens);
    jobs[n]!.finish();
  }
  await Promise.all(requests);
  assert.deepEqual(order.slice(0, 2), [1, 1]);
  const positions = order.flatMap((kind, index) => (kind === 2 ? [index] : []));
  assert.ok(positions.at(-1)! <= 6, `requests ran as ${positions}`);
  assert.equal(assembly.parts.jobs.line.size, 0);
});

test("jobs are accepted while the model loads, and run once it is loaded", async (context) => {
  const { create, jobs, until, queue, assembly, get } = await serve(context, { loading: true });
  const { id } = await create({ prompt: "x" });
  assert.equal((await get(id)).state, "queued");
  queue.open();
  assembly.dispatch();
  await until(() => jobs.length === 1);
});

test("at the end of a drain jobs wait for the next start, and don't fail", async (context) => {
  const { create, jobs, until, queue, get } = await serve(context, { slots: 1 });
  const { id } = await create({ prompt: "x" });
  await until(() => jobs.length === 1);
  void queue.drain();
  queue.clear();
  await until(() => jobs[0]!.cancelled);
  const job = await get(id);
  assert.ok(["queued", "running"].includes(job.state), job.state);
  assert.equal(jobs.length, 1);
});
