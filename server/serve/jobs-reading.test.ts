import assert from "node:assert/strict";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { Callers } from "../keys/callers.js";
import { hashKey, unlimited } from "../settings/key.js";
import { type Job, serve } from "./fixtures/jobs.js";

test("only a job's own caller finds it", async (context) => {
  const key = (name: string) => ({ name, hash: hashKey(`key of ${name}`), priority: 0, limits: unlimited });
  const { ask, json, create } = await serve(context, { callers: new Callers([key("anna"), key("ben")]) });
  const [anna, ben] = [{ "x-api-key": "key of anna" }, { "x-api-key": "key of ben" }];
  const { id } = await create({ prompt: "x" }, anna);
  for (const [method, path] of [
    ["GET", `/jobs/${id}`],
    ["DELETE", `/jobs/${id}`],
    ["GET", `/jobs/${id}/events`],
    ["GET", "/jobs/nothing"],
  ] as const) {
    const response = await ask(method, path, undefined, ben);
    assert.equal(response.status, 404);
    assert.deepEqual(await json<object>(response), { detail: "There is no such job" });
  }
  const list = await json<{ jobs: Job[] }>(ask("GET", "/jobs", undefined, ben));
  assert.deepEqual(list.jobs, []);
  assert.equal((await ask("GET", `/jobs/${id}`, undefined, anna)).status, 200);
});

test("a job's events end when the key is revoked, and another key's go on", async (context) => {
  const key = (name: string) => ({ name, hash: hashKey(`key of ${name}`), priority: 0, limits: unlimited });
  const callers = new Callers([key("anna"), key("ben")]);
  const { ask, create, jobs, until } = await serve(context, { callers });
  const [anna, ben] = [{ "x-api-key": "key of anna" }, { "x-api-key": "key of ben" }];
  const follow = async (headers: Record<string, string>) => {
    const { id } = await create({ prompt: "x" }, headers);
    return ask("GET", `/jobs/${id}/events`, undefined, headers);
  };
  const [left, kept] = [await follow(anna), await follow(ben)];
  await until(() => jobs.length === 2);
  callers.replace([key("ben")]);
  assert.doesNotMatch(await left.text(), /event: done/);
  for (const job of jobs) job.finish();
  assert.match(await kept.text(), /event: done/);
});

test("jobs are listed in pages, newest first, by state, endpoint and time", async (context) => {
  const { ask, json, create, jobs, until } = await serve(context, { slots: 1 });
  const ids: string[] = [];
  for (let n = 0; n < 5; n++)
    ids.unshift((await create({ prompt: "x", endpoint: n % 2 ? "/chat" : "/generate" })).id);
  await until(() => jobs.length === 1);
  const list = async (query: string) => {
    const { jobs: found, next_cursor } = await json<{ jobs: Job[]; next_cursor: string | null }>(
      ask("GET", `/jobs?${query}`),
    );
    return { ids: found.map(({ id }) => id), next_cursor };
  };
  const first = await list("limit=2");
  assert.deepEqual(first.ids, ids.slice(0, 2));
  await create({ prompt: "later" });
  const second = await list(`limit=2&cursor=${first.next_cursor}`);
  const third = await list(`limit=2&cursor=${second.next_cursor}`);
  assert.deepEqual([...second.ids, ...third.ids], ids.slice(2));
  assert.equal(third.next_cursor, null);
  assert.deepEqual((await list("state=running")).ids, [ids[4]]);
  assert.deepEqual((await list("endpoint=/chat")).ids, [ids[1], ids[3]]);
  assert.deepEqual((await list("since=2100-01-01T00:00:00Z")).ids, []);
  for (const query of ["state=lost", "limit=0", "limit=101", "limit=x", "since=today", "cursor=%22"])
    assert.equal((await ask("GET", `/jobs?${query}`)).status, 422, query);
});

test("a job's events match openapi.yaml, and the stream can be resumed after each", async (context) => {
  const { ask, create, jobs, until, document } = await serve(context);
  const { id } = await create({ prompt: "x", max_tokens: 6, n: 2 });
  await until(() => jobs.length === 2);
  const response = await ask("GET", `/jobs/${id}/events`);
  assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assert.equal(response.headers.get("x-accel-buffering"), "no");
  jobs[0]!.say("!!", 2);
  jobs[1]!.say("!!!", 3);
  for (const job of jobs) job.finish();
  const text = await response.text();
  const blocks = text.split("\n\n").filter((block) => block !== "");
  const events = blocks.map((block) =>
    Object.fromEntries([...block.matchAll(/^(\w+): (.*)$/gm)].map(([, name, value]) => [name!, value!])),
  );
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ ...document, $id: "openapi.json" });
  const check = ajv.getSchema("openapi.json#/components/schemas/JobEvents")!;
  assert.ok(check(events), ajv.errorsText(check.errors));
  assert.equal(events.at(-1)?.event, "done");

  const texts = (some: typeof events) => {
    const found = ["", ""];
    for (const { event, data } of some) {
      if (event !== undefined) continue;
      const delta = JSON.parse(data!) as { index: number; text: string };
      found[delta.index] += delta.text;
    }
    return found;
  };
  assert.deepEqual(texts(events), ["!!!!!!", "!!!!!!"]);
  for (const [index, { id: lastId }] of events.entries()) {
    if (lastId === undefined || lastId === "end") continue;
    const again = await ask("GET", `/jobs/${id}/events`, undefined, { "last-event-id": lastId });
    const rest = (await again.text()).split("\n\n").filter((block) => block !== "");
    const parsed = rest.map((block) =>
      Object.fromEntries([...block.matchAll(/^(\w+): (.*)$/gm)].map(([, name, value]) => [name!, value!])),
    );
    const [before, after] = [texts(events.slice(0, index + 1)), texts(parsed)];
    assert.deepEqual([before[0]! + after[0]!, before[1]! + after[1]!], ["!!!!!!", "!!!!!!"]);
  }
  const ended = await ask("GET", `/jobs/${id}/events`, undefined, { "last-event-id": "end" });
  assert.equal(ended.status, 204);
  const wrong = await ask("GET", `/jobs/${id}/events`, undefined, { "last-event-id": "5; drop" });
  assert.equal(wrong.status, 422);
  assert.equal((await ask("HEAD", `/jobs/${id}/events`)).status, 200);
});
