// Two keys over HTTP: one floods what all share, the other is served.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { namedCallers } from "../fixtures/named-callers.js";
import { type StandInOptions, serveStandIn } from "../fixtures/stand-in.js";

async function serve(context: TestContext, options: StandInOptions) {
  const callers = namedCallers(["anna", "ben"]);
  const server = await serveStandIn(context, { callers, ...options });
  const post = (key: string, path: string, body: object, headers: Record<string, string> = {}) =>
    fetch(server.url + path, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": key, ...headers },
      body: JSON.stringify(body),
    });
  return { ...server, callers, post };
}

const counted = (answers: readonly Response[]) =>
  answers.reduce<Record<number, number>>(
    (counts, { status }) => Object.assign(counts, { [status]: (counts[status] ?? 0) + 1 }),
    {},
  );
const times = <T>(count: number, one: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, index) => one(index)));

test("jobs: a caller that floods them gets 429, and the other 202", async (context) => {
  const { post, jobs, until } = await serve(context, { hold: true, slots: 1, config: { jobLimit: 20 } });
  const job = (key: string) => post(key, "/jobs", { prompt: "x" });
  // One that runs, which has no place among the waiting ones any more.
  assert.equal((await job("anna")).status, 202);
  await until(() => jobs.length === 1);
  const flood = await times(50, () => job("anna"));
  assert.deepEqual(counted(flood), { 202: 10, 429: 40 });
  const refused = flood.find(({ status }) => status === 429)!;
  assert.ok(Number(refused.headers.get("retry-after")) >= 1);
  assert.deepEqual(await refused.json(), { detail: "This caller's share of the waiting jobs is taken" });
  assert.deepEqual(counted(await times(10, () => job("ben"))), { 202: 10 });
  assert.equal((await job("ben")).status, 503);
});

test("the store: a caller that fills it gets 429, and the other its jobs and stored answers", async (context) => {
  const { post, assembly } = await serve(context, { config: { dataBytes: 500_000, jobTtl: 600 } });
  const { space, usage } = assembly.parts;
  // Rows of usage, saved each second, take bytes that are no caller's: a slow machine has some before the end.
  await usage.close();
  const keyed = (key: string, n: number) =>
    post(key, "/generate", { prompt: "x".repeat(1000), max_tokens: 4000 }, { "idempotency-key": `key-${n}` });
  const flood: Response[] = [];
  for (let n = 0; n < 60; n++) flood.push(await keyed("anna", n));
  const { 200: served = 0, 429: refused = 0 } = counted(flood);
  assert.ok(served > 5 && served + refused === 60, `${served} served, ${refused} refused`);
  const answer = space.used / served;
  assert.ok(space.used <= space.limit / 2 + answer, "one answer beyond the half at most");
  const last = flood.at(-1)!;
  const retryAfter = Number(last.headers.get("retry-after"));
  assert.ok(retryAfter > 500 && retryAfter <= 600, `${retryAfter} s`);
  assert.deepEqual(await last.json(), {
    detail: "This caller's share of the store of jobs and answers is full",
  });
  assert.equal((await post("anna", "/jobs", { prompt: "x" })).status, 429);
  assert.equal((await post("anna", "/generate", { prompt: "x" })).status, 200, "without a key of its own");
  assert.equal((await keyed("anna", 0)).headers.get("idempotent-replayed"), "true");
  assert.equal((await keyed("ben", 0)).status, 200);
  assert.equal((await post("ben", "/jobs", { prompt: "x" })).status, 202);
});

test("a lone key has all places", async (context) => {
  const callers = namedCallers(["anna"]);
  const { post } = await serve(context, { callers, hold: true, loading: true, config: { jobLimit: 20 } });
  assert.deepEqual(counted(await times(30, () => post("anna", "/jobs", { prompt: "x" }))), {
    202: 20,
    503: 10,
  });
});
