// Jobs over HTTP, with a stand-in for the pool.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { EventReader } from "../../ops/server-sent-events.js";
import type { CompiledForm } from "../../workers/protocol.js";
import { invalidGrammar } from "../errors/errors.js";
import { type StandInOptions, serveStandIn } from "../fixtures/stand-in.js";
import { Callers } from "../keys/callers.js";
import { WorkerLost } from "../pool/pool.js";
import { hashKey, unlimited } from "../settings/key.js";

interface Job {
  id: string;
  endpoint: string;
  state: string;
  attempts: number;
  position?: number;
  expected_start?: string | null;
  progress?: { tokens: number; max_tokens: number };
  result?: { generated: string; seed: number; id: string };
  error?: { code: string; status: number; detail: unknown };
  expires_at: string | null;
  ended_at: string | null;
}

type Serving = Awaited<ReturnType<typeof serveStandIn>>;

async function serve(context: Parameters<typeof serveStandIn>[0], options: StandInOptions = {}) {
  const server = await serveStandIn(context, { hold: true, ...options });
  const ask = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    fetch(server.url + path, {
      method,
      headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const json = async <T = Job>(response: Response | Promise<Response>) =>
    (await (await response).json()) as T;
  const create = async (body: object, headers?: Record<string, string>) => {
    const response = await ask("POST", "/jobs", body, headers);
    assert.equal(response.status, 202, await response.clone().text());
    return json(response);
  };
  const get = (id: string) => json(ask("GET", `/jobs/${id}`));
  /** Resolves when the job's stream has ended, with the names of its events. */
  const followed = async (id: string) => {
    const reader = new EventReader();
    return reader.push(await (await ask("GET", `/jobs/${id}/events`)).text());
  };
  return { ...server, ask, json, create, get, followed };
}

test("a job is accepted, waits, runs, and is done with what its endpoint would have answered", async (context) => {
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

test("a job with messages is one of /v1/chat/completions, and is done with its answer", async (context) => {
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

test("what a body lacks is refused as its endpoint refuses it, and no job is made", async (context) => {
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

test("numbers written as texts are taken where the endpoint takes them", async (context) => {
  const { create, jobs, until } = await serve(context);
  await create({ prompt: "x", max_tokens: "5" });
  await until(() => jobs.length === 1);
  assert.equal(jobs[0]!.task.maxTokens, 5);
});

test("callbacks to addresses inside are refused when the job is made", async (context) => {
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

test("a seed is fixed when the job is accepted, so that a second run gives the same text", async (context) => {
  const { create, jobs, until, followed, get } = await serve(context, { slots: 1 });
  const { id } = await create({ prompt: "x", max_tokens: 3 });
  await until(() => jobs.length === 1);
  jobs[0]!.fail(new WorkerLost("the worker is gone"));
  await until(() => jobs.length === 2);
  assert.deepEqual(jobs[1]!.task.sampling.seed, jobs[0]!.task.sampling.seed);
  const end = followed(id);
  jobs[1]!.finish();
  await end;
  const { attempts, state, result } = await get(id);
  assert.deepEqual([attempts, state], [2, "done"]);
  assert.ok(Number.isSafeInteger(result?.seed));
});

test("a job that takes the worker down again and again fails", async (context) => {
  const { create, jobs, until, followed } = await serve(context, { slots: 1 });
  const { id } = await create({ prompt: "x" });
  await until(() => jobs.length === 1);
  const end = followed(id);
  for (let n = 1; n <= 5; n++) {
    await until(() => jobs.length === n);
    jobs[n - 1]!.fail(new WorkerLost("the worker is gone"));
  }
  const last = JSON.parse((await end).at(-1)!.data) as Job;
  assert.equal(last.state, "failed");
  assert.deepEqual(last.error, {
    code: "worker_lost",
    status: 500,
    detail: "The worker that ran this request was lost",
  });
  assert.equal(jobs.length, 5);
});

test("DELETE cancels what waits or runs, again and again, and removes what is done", async (context) => {
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
  assert.equal(jobs.length, 2, "what was cancelled did not start");
});

test("what a worker has still to say of a job that is over, or runs anew, is nothing to it", async (context) => {
  const { ask, create, jobs, until, get, assembly } = await serve(context, { slots: 1 });
  const [over, anew] = [await create({ prompt: "x" }), await create({ prompt: "y" })];
  await until(() => jobs.length === 1);
  jobs[0]!.say("a", 1);
  await ask("DELETE", `/jobs/${over.id}`);
  jobs[0]!.say("b", 1);
  await until(() => jobs.length === 2);
  jobs[1]!.fail(new WorkerLost("the worker is gone"));
  await until(() => jobs.length === 3);
  jobs[1]!.say("late", 4);
  jobs[2]!.say("c", 1);
  assert.equal((await get(anew.id)).progress?.tokens, 1);
  assert.equal(assembly.parts.jobs.find("anonymous", anew.id)?.sequences[0]?.text, "c");
});

test("jobs belong to their callers, and nobody else finds them", async (context) => {
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

test("a caller who has used what is theirs for now keeps nobody else's jobs waiting", async (context) => {
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
  assert.equal(callers.named("anna")!.ledger.total.refused, 0, "they were put off, not refused");
});

test("the job of a key that is gone fails", async (context) => {
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

test("every POST takes an Idempotency-Key, and says what may come of it", async (context) => {
  const { document } = await serve(context);
  for (const [path, operations] of Object.entries(document.paths)) {
    const post = operations.post as
      | { parameters?: { $ref?: string }[]; responses: Record<string, unknown> }
      | undefined;
    if (post === undefined) continue;
    const references = post.parameters?.map(({ $ref }) => $ref) ?? [];
    assert.ok(references.includes("#/components/parameters/IdempotencyKey"), path);
    assert.ok("409" in post.responses && "507" in post.responses, path);
  }
});

test("jobs are listed in pages, the newest first, by state, endpoint and time", async (context) => {
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

test("a job's events are what openapi.yaml says, and can be asked for again from each", async (context) => {
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

test("jobs leave requests the slots: they fill what is free, and wait while requests do", async (context) => {
  const { ask, create, jobs, until, queue, assembly } = await serve(context, { slots: 2, limit: 8 });
  for (let n = 0; n < 6; n++) await create({ prompt: "job", max_tokens: 1 });
  await until(() => jobs.length === 2);
  assert.equal(queue.waiting, 0, "the others wait in the store");
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

test("jobs are taken while the model loads, and run when it is there", async (context) => {
  const { create, jobs, until, queue, assembly, get } = await serve(context, { loading: true });
  const { id } = await create({ prompt: "x" });
  assert.equal((await get(id)).state, "queued");
  queue.open();
  assembly.dispatch();
  await until(() => jobs.length === 1);
});

test("too many jobs, a full store and a server that stops refuse with their reasons", async (context) => {
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

test("at the end of a drain jobs wait for the next start, and have not failed", async (context) => {
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

const fifty = Array.from({ length: 50 });

for (const [path, body] of [
  ["/generate", { prompt: "x", max_tokens: 5 }],
  ["/chat", { prompt: "x", max_tokens: 5 }],
  ["/chat", { prompt: "x", max_tokens: 5, stream: true }],
  ["/v1/completions", { model: "stand-in", prompt: "x", max_tokens: 5 }],
  ["/v1/completions", { model: "stand-in", prompt: "x", max_tokens: 5, stream: true }],
] as const) {
  test(`fifty POSTs to ${path}${"stream" in body ? " as streams" : ""} at once with one key are one generation`, async (context) => {
    const { ask, jobs, until } = await serve(context);
    const asking = fifty.map(() => ask("POST", path, body, { "idempotency-key": "5f0e" }));
    await until(() => jobs.length === 1);
    jobs[0]!.finish();
    const answers = await Promise.all(asking);
    const texts = await Promise.all(answers.map((answer) => answer.text()));
    assert.ok(answers.every(({ status }) => status === 200));
    assert.equal(new Set(texts).size, 1);
    assert.match(texts[0]!, /!!!!!/);
    assert.equal(jobs.length, 1);
    const conflict = await ask("POST", path, { ...body, max_tokens: 6 }, { "idempotency-key": "5f0e" });
    assert.equal(conflict.status, 409);
  });
}

test("fifty POSTs to /jobs at once with one key are one job", async (context) => {
  const { ask, json, jobs, until } = await serve(context);
  const asking = fifty.map(() => ask("POST", "/jobs", { prompt: "x" }, { "idempotency-key": "5f0e" }));
  const answers = await Promise.all(asking);
  const bodies = await Promise.all(answers.map((answer) => json<Job>(answer)));
  assert.ok(answers.every(({ status }) => status === 202));
  assert.ok(answers.every(({ headers }) => headers.get("location") === `/jobs/${bodies[0]!.id}`));
  for (const body of bodies) assert.deepEqual(body, bodies[0]);
  await until(() => jobs.length === 1);
  assert.equal((await json<{ jobs: Job[] }>(ask("GET", "/jobs"))).jobs.length, 1);
});

for (const key of ["", "with space", "x".repeat(256), "schlüssel"])
  test(`an Idempotency-Key of ${JSON.stringify(key.slice(0, 20))} is refused`, async (context) => {
    const { port } = await serve(context);
    assert.equal(await statusWithKey(port, key), 422);
  });

/** `fetch` sends no such headers. */
async function statusWithKey(port: Serving["port"], key: string): Promise<number> {
  const socket = connect(port, "127.0.0.1");
  const body = '{"prompt":"x"}';
  socket.write(
    `POST /generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n` +
      `Content-Length: ${body.length}\r\nIdempotency-Key: ${key}\r\n\r\n${body}`,
    "latin1",
  );
  let text = "";
  for await (const chunk of socket) text += chunk;
  return Number(/^HTTP\/1.1 (\d+)/.exec(text)?.[1]);
}

/** Forms of which each is compiled when the test says so, from the second check of it on. */
function heldForms() {
  const held: (() => void)[] = [];
  let checks = 0;
  const check = (_source: unknown, _caller: string, signal?: AbortSignal) =>
    new Promise<CompiledForm>((resolve, reject) => {
      const form = { id: 1, numbers: new Float64Array(new SharedArrayBuffer(0)) };
      signal?.addEventListener("abort", () => reject(signal.reason));
      // The first check is that of the job that is to be accepted.
      if (++checks === 1) resolve(form);
      else held.push(() => resolve(form));
    });
  return { held, forms: { check } };
}

test("a caller's jobs start in their order, though the first waits for its form and keeps no other caller's waiting", async (context) => {
  const { held, forms } = heldForms();
  const key = (name: string) => ({ name, hash: hashKey(name), priority: 0, limits: unlimited });
  const callers = new Callers([key("anna"), key("ben")]);
  const { create, jobs, until } = await serve(context, { forms, callers });
  const [anna, ben] = [{ "x-api-key": "anna" }, { "x-api-key": "ben" }];
  await create({ prompt: "a", regex: "a" }, anna);
  await create({ prompt: "b" }, anna);
  await create({ prompt: "c" }, ben);
  const begun = () => jobs.map(({ task }) => String.fromCodePoint(...task.promptIds));
  await until(() => jobs.length === 1);
  assert.deepEqual(begun(), ["c"]);
  held[0]!();
  await until(() => jobs.length === 3);
  assert.deepEqual(begun(), ["c", "a", "b"]);
});

test("a job is cancelled while its form is compiled, and the caller's next one starts", async (context) => {
  const { held, forms } = heldForms();
  const { ask, get, create, jobs, until } = await serve(context, { forms });
  const { id } = await create({ prompt: "a", regex: "a" });
  await create({ prompt: "b" });
  assert.equal(held.length, 1);
  assert.equal((await ask("DELETE", `/jobs/${id}`)).status, 200);
  await until(() => jobs.length === 1);
  assert.deepEqual(jobs[0]!.task.promptIds, [98]);
  assert.equal((await get(id)).state, "cancelled");
});

test("a job whose form nobody can be held to is refused, and while it is checked it has a place", async (context) => {
  let refuse: (() => void) | null = null;
  const check = () =>
    new Promise<never>((_, reject) => {
      refuse = () => reject(invalidGrammar("expected another"));
    });
  const { ask } = await serve(context, { forms: { check }, config: { jobLimit: 1 } });
  const asked = ask("POST", "/jobs", { prompt: "a", regex: "a" });
  while (refuse === null) await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await ask("POST", "/jobs", { prompt: "b" })).status, 503);
  (refuse as () => void)();
  assert.equal((await asked).status, 400);
  assert.equal((await ask("POST", "/jobs", { prompt: "b" })).status, 202);
});

test("any number of jobs with forms may be pipelined, without a warning", async (context) => {
  const asked: (() => void)[] = [];
  const check = () =>
    new Promise<CompiledForm>((resolve) => {
      asked.push(() => resolve({ id: 1, numbers: new Float64Array(new SharedArrayBuffer(0)) }));
    });
  const { port } = await serve(context, { forms: { check } });
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on("warning", note);
  context.after(() => process.off("warning", note));
  const body = '{"prompt":"x","regex":"a"}';
  const one = `POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const socket = connect(port, "127.0.0.1");
  let answers = "";
  socket.on("data", (data) => {
    answers += data;
  });
  socket.write(one.repeat(15));
  while (asked.length < 15) await new Promise((resolve) => setImmediate(resolve));
  for (const compile of asked) compile();
  while (answers.split("HTTP/1.1 202 ").length <= 15) await once(socket, "data");
  socket.destroy();
  assert.deepEqual(warnings, []);
});
