import assert from "node:assert/strict";
import { test } from "node:test";
import { WorkerLost } from "../pool/pool.js";
import { Cancelled } from "../queue/refusal.js";
import { type Job, serve } from "./fixtures/jobs.js";

test("a job is accepted, waits, runs, and ends with the answer of its endpoint", async (context) => {
  const { ask, json, create, get, followed, jobs, until } = await serve(context, { slots: 1 });
  const ahead = await create({ prompt: "안녕", max_tokens: 3 });
  await until(() => jobs.length === 1);
  const response = await ask("POST", "/jobs", {
    prompt: "반가워",
    max_tokens: 4,
    seed: 7,
    endpoint: "/chat",
  });
  assert.equal(response.status, 202);
  const { id, ...queued } = await json(response);
  assert.equal(response.headers.get("location"), `/jobs/${id}`);
  assert.equal(queued.state, "queued");
  assert.equal(queued.endpoint, "/chat");
  assert.equal(queued.position, 1);
  assert.equal((await get(id)).state, "queued");
  const following = followed(ahead.id);
  jobs[0]!.say("!!", 2);
  assert.deepEqual((await get(ahead.id)).progress, { tokens: 2, max_tokens: 3 });
  jobs[0]!.finish();
  await following;
  await until(() => jobs.length === 2);
  assert.equal((await get(id)).state, "running");
  const ending = followed(id);
  jobs[1]!.finish();
  const events = await ending;
  const done = await get(id);
  assert.equal(done.state, "done");
  assert.equal(Date.parse(done.expires_at!) - Date.parse(done.ended_at!), 3600_000);
  assert.deepEqual(JSON.parse(events.at(-1)!.data), done);

  const plain = ask("POST", "/chat", { prompt: "반가워", max_tokens: 4, seed: 7 });
  await until(() => jobs.length === 3);
  jobs[2]!.finish();
  const { id: requestId, ...answer } = await json<{ id: string }>(plain);
  assert.notEqual(requestId, id);
  assert.deepEqual(done.result, { ...answer, id });
});

test("a job with messages is for /v1/chat/completions, and ends with its answer", async (context) => {
  const { ask, json, create, get, followed, jobs, until } = await serve(context);
  const body = { model: "stand-in", messages: [{ role: "user", content: "안녕" }], max_tokens: 3, seed: 7 };
  const { id, endpoint } = await create(body);
  assert.equal(endpoint, "/v1/chat/completions");
  await until(() => jobs.length === 1);
  const end = followed(id);
  jobs[0]!.finish();
  await end;
  const plain = ask("POST", "/v1/chat/completions", body);
  await until(() => jobs.length === 2);
  jobs[1]!.finish();
  const { result } = (await get(id)) as Job & { result?: { choices?: unknown; usage?: unknown } };
  const answer = await json<{ choices: unknown; usage: unknown }>(plain);
  assert.deepEqual([result?.choices, result?.usage], [answer.choices, answer.usage]);
  for (const wrong of [
    { ...body, messages: [] },
    { ...body, max_tokens: 5000 },
    { ...body, messages: [{ role: "user", content: "x".repeat(100) }] },
    { ...body, model: "another" },
  ]) {
    const direct = (await ask("POST", "/v1/chat/completions", wrong)).status;
    const asJob = (await ask("POST", "/jobs", wrong)).status;
    assert.ok(direct >= 400 && direct < 500, JSON.stringify(wrong));
    // OpenAI's API has no 422.
    assert.ok(asJob === direct || (direct === 400 && asJob === 422), `${asJob} for ${JSON.stringify(wrong)}`);
  }
});

test("a seed is fixed when the job is accepted, so that a second run gives the same text", async (context) => {
  const { create, jobs, until, followed, get } = await serve(context, { slots: 1 });
  const { id } = await create({ prompt: "x", max_tokens: 3 });
  await until(() => jobs.length === 1);
  jobs[0]!.fail(new Cancelled());
  await until(() => jobs.length === 2);
  assert.deepEqual(jobs[1]!.task.sampling.seed, jobs[0]!.task.sampling.seed);
  const end = followed(id);
  jobs[1]!.finish();
  await end;
  const { attempts, state, result } = await get(id);
  assert.deepEqual([attempts, state], [1, "done"]);
  assert.ok(Number.isSafeInteger(result?.seed));
});

test("a job that killed its worker again when it was rerun fails, and is not tried again", async (context) => {
  const { create, jobs, until, followed } = await serve(context, { slots: 1 });
  const { id } = await create({ prompt: "x" });
  await until(() => jobs.length === 1);
  const end = followed(id);
  jobs[0]!.fail(new WorkerLost("the worker is gone"));
  const last = JSON.parse((await end).at(-1)!.data) as Job;
  assert.equal(last.state, "failed");
  assert.deepEqual(last.error, {
    code: "worker_lost",
    status: 500,
    detail: "The worker that ran this request was lost",
  });
  assert.equal(jobs.length, 1);
});

test("DELETE cancels waiting and running jobs, can be repeated, and removes done jobs", async (context) => {
  const { ask, json, create, jobs, until, followed, get } = await serve(context, { slots: 1 });
  const running = await create({ prompt: "x" });
  const queued = await create({ prompt: "y" });
  await until(() => jobs.length === 1);
  for (const { id } of [queued, running, queued, running]) {
    const response = await ask("DELETE", `/jobs/${id}`);
    assert.equal(response.status, 200);
    assert.equal((await json(response)).state, "cancelled");
  }
  assert.ok(jobs[0]!.cancelled);
  assert.equal((await get(queued.id)).state, "cancelled");

  const done = await create({ prompt: "z" });
  await until(() => jobs.length === 2);
  const end = followed(done.id);
  jobs[1]!.finish();
  await end;
  assert.equal((await ask("DELETE", `/jobs/${done.id}`)).status, 204);
  for (const method of ["GET", "DELETE"]) assert.equal((await ask(method, `/jobs/${done.id}`)).status, 404);
  assert.equal(jobs.length, 2, "the cancelled job did not start");
});

test("late messages about a job that is over, or runs again, are dropped", async (context) => {
  const { ask, create, jobs, until, get, assembly } = await serve(context, { slots: 1 });
  const [over, anew] = [await create({ prompt: "x" }), await create({ prompt: "y" })];
  await until(() => jobs.length === 1);
  jobs[0]!.say("a", 1);
  await ask("DELETE", `/jobs/${over.id}`);
  jobs[0]!.say("b", 1);
  await until(() => jobs.length === 2);
  jobs[1]!.fail(new Cancelled());
  await until(() => jobs.length === 3);
  jobs[1]!.say("late", 4);
  jobs[2]!.say("c", 1);
  assert.equal((await get(anew.id)).progress?.tokens, 1);
  assert.equal(assembly.parts.jobs.find("anonymous", anew.id)?.sequences[0]?.text, "c");
});
