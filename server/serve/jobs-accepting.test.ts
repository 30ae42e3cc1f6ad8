import assert from "node:assert/strict";
import { test } from "node:test";
import { type Job, serve } from "./fixtures/jobs.js";

test("an invalid body is refused as by its endpoint, and no job is made", async (context) => {
  const { ask, json, jobs } = await serve(context, { maxTokens: 100 });
  for (const body of [
    {},
    { prompt: "" },
    { prompt: "x", max_tokens: 101 },
    { prompt: "x", temperature: -1 },
    { prompt: "x", n: "two" },
    { prompt: " " },
    { prompt: "x", logit_bias: { 5000: 1 } },
    { prompt: "x", stop: Array(17).fill("x") },
  ]) {
    const [asJob, direct] = [await ask("POST", "/jobs", body), await ask("POST", "/generate", body)];
    assert.equal(asJob.status, 422, JSON.stringify(body));
    assert.deepEqual(await json<object>(asJob), await json<object>(direct), JSON.stringify(body));
  }
  for (const [body, loc] of [
    [{ prompt: "x", endpoint: "/health" }, "endpoint"],
    [{ prompt: "x", endpoint: 5 }, "endpoint"],
    [{ prompt: "x", callback_url: 5 }, "callback_url"],
    [{ prompt: "x", callback_url: "https://example.com/" }, "callback_url"],
    [{ prompt: "x", priority: 11 }, "priority"],
  ] as const) {
    const response = await ask("POST", "/jobs", body);
    assert.equal(response.status, 422);
    const { detail } = await json<{ detail: { loc: string[] }[] }>(response);
    assert.deepEqual(detail[0]!.loc, ["body", loc], JSON.stringify(body));
  }
  assert.equal((await ask("POST", "/jobs", [])).status, 422);
  assert.deepEqual(await json<object>(ask("GET", "/jobs")), { jobs: [], next_cursor: null });
  assert.equal(jobs.length, 0);
});

test("numbers written as texts are accepted where the endpoint accepts them", async (context) => {
  const { create, jobs, until } = await serve(context);
  await create({ prompt: "x", max_tokens: "5" });
  await until(() => jobs.length === 1);
  assert.equal(jobs[0]!.task.maxTokens, 5);
});

test("callbacks to private addresses are refused when the job is made", async (context) => {
  const callbackSecret = `whsec_${Buffer.alloc(32).toString("base64")}`;
  const { ask, create } = await serve(context, { config: { callbackSecret } });
  const post = async (callback_url: string) =>
    (await ask("POST", "/jobs", { prompt: "x", callback_url })).status;
  assert.equal(await post("http://127.0.0.1/"), 422);
  assert.equal(await post("http://[::ffff:169.254.169.254]/"), 422);
  assert.equal(await post("gopher://example.com/"), 422);
  const job = await create({ prompt: "x", callback_url: "https://example.invalid/" });
  assert.deepEqual((job as Job & { callback: object }).callback, {
    url: "https://example.invalid/",
    state: "waiting",
    attempts: 0,
  });
});

test("too many jobs, a full store and a draining server each have their own error", async (context) => {
  const reasonOf = async (server: Awaited<ReturnType<typeof serve>>, status: number) => {
    const response = await server.ask("POST", "/jobs", { prompt: "x" });
    assert.equal(response.status, status);
    assert.equal(response.headers.get("location"), null);
    return (await server.json<{ detail: string }>(response)).detail;
  };
  const full = await serve(context, { config: { jobLimit: 0 } });
  assert.equal(await reasonOf(full, 503), "Too many jobs are waiting");
  const stored = await serve(context, { config: { dataBytes: 0 } });
  assert.equal(await reasonOf(stored, 507), "The store of jobs and answers is full");
  void stored.queue.drain();
  assert.equal(await reasonOf(stored, 503), "The server is shutting down");
});
