// Every operation, status, header and error of openapi.yaml, as a client sees it. Each situation is tried with every
// operation, to find undocumented answers; the last test lists what is documented but was never answered.
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { type ErrorCode, errors, PublicError } from "../errors/errors.js";
import { isOpenAiPath, openAiStatus } from "../errors/openai-error.js";
import { Contract } from "../fixtures/contract.js";
import { type Asked, exchange } from "../fixtures/exchange.js";
import { localTexts } from "../fixtures/local-texts.js";
import { type StandInOptions, serveStandIn, usualModel } from "../fixtures/stand-in.js";
import { BodyBudget } from "../http/body-budget.js";
import { readDocument } from "../http/document.js";
import type { Job } from "../jobs/job.js";
import type { Lease } from "../keys/caller.js";
import { Callers } from "../keys/callers.js";
import { GenerationFailed, WorkerLost } from "../pool/pool.js";
import { hashKey, type Limits } from "../settings/key.js";
import { Holdings } from "../shares.js";
import { converse, responsesOf } from "./fixtures/raw-connection.js";

const contract = new Contract(readDocument({ maxTokens: 4096, maxPromptChars: 32_768 }));

/** The body of a valid request to each operation, for a POST. The last operation removes the job that others read. */
const requests: Record<string, object> = {
  "POST /generate": { prompt: "x", max_tokens: 2 },
  "POST /chat": { prompt: "x", max_tokens: 2 },
  "POST /v1/completions": { prompt: "x", max_tokens: 2 },
  "POST /v1/chat/completions": { messages: [{ role: "user", content: "x" }], max_tokens: 2 },
  "POST /v1/chat/completions/render": { messages: [{ role: "user", content: "x" }] },
  "POST /tokenize": { prompt: "x" },
  "POST /detokenize": { tokens: [99] },
  "POST /jobs": { prompt: "x", max_tokens: 2 },
  "GET /v1/usage": {},
  "GET /v1/models": {},
  "GET /v1/models/{model}": {},
  "GET /jobs": {},
  "GET /jobs/{id}": {},
  "GET /jobs/{id}/events": {},
  "GET /status": {},
  "GET /status/events": {},
  "GET /metrics": {},
  "GET /": {},
  "GET /live": {},
  "GET /ready": {},
  "GET /health": {},
  "GET /openapi.json": {},
  "GET /docs": {},
  "GET /redoc": {},
  "DELETE /jobs/{id}": {},
};
const all = Object.keys(requests);
const generating = all.slice(0, 4);
const openAi = ["POST /v1/completions", "POST /v1/chat/completions"];
const jobs = ["POST /jobs"];
const tools = ["POST /v1/chat/completions/render", "POST /tokenize", "POST /detokenize"];
const posts = all.filter((operation) => operation.startsWith("POST"));
const probes = ["GET /live", "GET /ready", "GET /health"];
const open = ["GET /", ...probes, "GET /openapi.json", "GET /docs", "GET /redoc"];
const ready = ["GET /ready"];
const shortMemory = { rss: 9e8, budget: 1e9, container_free: 1e7, limited: true, replaced_workers: 0 };
const keyed = all.filter((operation) => !open.includes(operation));

const KEY = "a-key-of-the-test";
/** Limits that are never reached, but make every answer carry the rate limit headers. */
const ample: Limits = {
  requestsPerMinute: 1e6,
  tokensPerMinute: 1e6,
  tokensPerDay: 1e6,
  concurrentRequests: 1000,
};
/** Placeholder in paths for the id of a cancelled job of the caller. */
const JOB = "JOB";

type Server = Awaited<ReturnType<typeof serve>>;

async function serve(context: TestContext, options: StandInOptions = {}) {
  const keyWith = (limits: Partial<Limits>) => ({
    ...{ name: "test", hash: hashKey(KEY), priority: 0 },
    limits: { ...ample, ...limits },
  });
  const other = { ...keyWith({}), name: "other", hash: hashKey("another-key-of-the-test") };
  const callers = new Callers([keyWith({}), other]);
  // No validation in the server: `contract` checks the raw answers.
  const parts = { maxBodyBytes: 65_536, validateResponses: false, ...options, callers, loading: true };
  const server = await serveStandIn(context, parts);
  const job = await newJob(server);
  await server.assembly.parts.dispatcher.cancel(job);
  if (!options.loading) server.queue.open();
  // Streams of the server's state would never end by themselves.
  server.assembly.parts.live.close();
  const ask = (asked: Partial<Asked> & { path: string }) =>
    exchange(server.port, {
      method: "GET",
      ...asked,
      path: asked.path.replace(JOB, job.id),
      headers: { authorization: `Bearer ${KEY}`, ...asked.headers },
    });
  const setLimits = (limits: Partial<Limits>) => callers.replace([keyWith(limits), other]);
  return { ...server, caller: callers.named("test")!, setLimits, ask };
}

/** Streams of the server's state that a caller has. */
function watching(caller: string, streams: number): Holdings {
  const holdings = new Holdings();
  holdings.take(caller, streams);
  return holdings;
}

let ids = 0;

function newJob({ assembly }: Pick<Server, "assembly">): Promise<Job> {
  const body = { prompt: "x", max_tokens: 2, temperature: 0, top_k: 0, seed: 1 };
  const request = { caller: "test", endpoint: "/generate", priority: 0, maxTokens: 2, callbackUrl: null };
  return assembly.parts.jobs.accept({ ...request, id: `job-${++ids}`, body });
}

async function doneJob(server: Server): Promise<Job> {
  const job = await newJob(server);
  while (job.state !== "done") await new Promise((resolve) => setImmediate(resolve));
  return job;
}

/** A change to every request of a situation. */
interface Change {
  headers?: Record<string, string>;
  /** Fields added to the body, if a request has one. */
  fields?: object;
  /** Replaces the body. */
  body?: string | Buffer;
  bytes?: string;
}

interface Situation extends Change {
  when: string;
  /** Options of a server of its own; without them, the ordinary server is used. */
  options?: StandInOptions;
  /** Limits of the key. */
  limits?: Partial<Limits>;
  /** Runs before the requests. It may return a lease of the key's limits, which is settled after them. */
  before?: (server: Server) => unknown;
  /** The operations to try. Default: all. */
  only?: string[];
  /** A request that is sent first, with the same Idempotency-Key. */
  earlier?: Change;
  /** The expected errors, each with its operations. All other operations answer with their first documented status. */
  errors?: Partial<Record<ErrorCode, string[]>>;
}

const held = { hold: true, slots: 1 };
/** Takes the only slot for good. */
const occupy = async (server: Server) => {
  const { length } = server.jobs;
  void server.ask(requestOf("POST /generate", {})).catch(() => {});
  await server.until(() => server.jobs.length > length);
};
const broken = () => {
  throw new Error("the tokenizer is broken");
};

const situations: Situation[] = [
  { when: "nothing is wrong" },
  { when: "a browser asks", headers: { accept: "text/html" }, only: ["GET /"] },
  { when: "a stream is requested", fields: { stream: true } },
  { when: "the same request was sent before", earlier: {} },
  { when: "a stream was sent before", fields: { stream: true }, earlier: { fields: { stream: true } } },

  // Errors of the request.
  { when: "there is no key", headers: { authorization: "" }, errors: { unauthorized: keyed } },
  { when: "the body is not UTF-8", body: Buffer.from([0xff]), errors: { unreadable_body: posts } },
  {
    when: "the body is not valid HTTP",
    headers: { "transfer-encoding": "chunked" },
    bytes: "x\r\n",
    only: posts,
    errors: { malformed_request: posts },
  },
  { when: "the body lacks its fields", body: "{}", errors: { invalid_body: posts } },
  { when: "the body is too large", fields: { more: "x".repeat(65_536) }, errors: { body_too_large: posts } },
  {
    when: "the body is text",
    headers: { "content-type": "text/plain" },
    errors: { unsupported_media_type: posts },
  },
  {
    when: "the body is Latin-1",
    headers: { "content-type": "application/json; charset=latin1" },
    errors: { unsupported_charset: posts },
  },
  {
    when: "the body is zipped",
    headers: { "content-encoding": "gzip" },
    errors: { unsupported_encoding: posts },
  },
  {
    when: "there is an unknown Expect header",
    headers: { expect: "a miracle" },
    errors: { expectation_failed: all },
  },
  {
    when: "the headers are too large",
    headers: { more: "x".repeat(20_480) },
    errors: { headers_too_large: all },
  },
  {
    when: "the body never comes",
    options: { http: { requestTimeout: 50, headersTimeout: 50, connectionsCheckingInterval: 10 } },
    headers: { "content-length": "10" },
    bytes: "{",
    only: posts,
    errors: { request_timeout: posts },
  },
  {
    when: "no text has the form",
    fields: { regex: "(" },
    earlier: { fields: { regex: "(" } },
    errors: { invalid_grammar: [...generating, ...jobs] },
  },
  {
    when: "the model has no chat template",
    options: { model: { chatTemplate: null } },
    errors: {
      no_chat_template: ["POST /chat", "POST /v1/chat/completions", "POST /v1/chat/completions/render"],
    },
  },
  {
    when: "the context is too short",
    fields: { max_tokens: 65 },
    errors: { context_length_exceeded: openAi },
  },
  {
    when: "another model is named",
    fields: { model: "other" },
    earlier: { fields: { model: "other" } },
    errors: {
      model_not_found: [...openAi, "POST /v1/chat/completions/render", "POST /tokenize", "POST /detokenize"],
    },
  },
  {
    when: "another body was sent before",
    earlier: { fields: { more: 1 } },
    errors: { idempotency_conflict: posts },
  },

  // Errors of the key's limits.
  {
    when: "the key's minute has no request left",
    limits: { requestsPerMinute: 1 },
    before: ({ caller }) => caller.arrive(),
    errors: { rate_limited: posts },
  },
  {
    when: "the key's minute has no tokens left",
    limits: { tokensPerMinute: 100_000 },
    before: ({ caller }) => caller.admit({ tokens: caller.allowances.tokensPerMinute!.remaining }),
    errors: { tokens_limited: generating },
  },
  {
    when: "the key's day has no tokens left",
    limits: { tokensPerDay: 100_000 },
    before: ({ caller }) => caller.admit({ tokens: caller.allowances.tokensPerDay!.remaining }),
    errors: { quota_used_up: generating },
  },
  {
    when: "the key's concurrent requests are used up",
    limits: { concurrentRequests: 1 },
    before: ({ caller }) => caller.admit({ tokens: 1 }),
    errors: { concurrency_limited: generating },
  },
  {
    when: "the request exceeds the key's tokens for good",
    limits: { tokensPerDay: 1 },
    earlier: {},
    errors: { over_quota: [...generating, ...jobs] },
  },

  // Errors of the server's state.
  {
    when: "the model loads",
    options: { loading: true },
    errors: { model_loading: [...generating, ...ready] },
  },
  {
    when: "the queue is full",
    options: { ...held, limit: 0 },
    before: occupy,
    errors: { queue_full: generating },
  },
  {
    when: "memory is short",
    options: { queue: { refuses: () => "memory_limited" }, vitals: { memory: shortMemory } },
    errors: { memory_limited: [...generating, ...ready] },
  },
  {
    when: "the tools have no room",
    options: { texts: localTexts(usualModel, { places: 0 }) },
    errors: { overloaded: tools },
  },
  {
    when: "the caller's share of the tools is taken",
    options: { texts: localTexts(usualModel, { places: 2, several: () => true }) },
    before: ({ assembly }) => void assembly.parts.texts.withPlace("test", () => new Promise(() => {})),
    errors: { caller_texts_full: tools },
  },
  {
    when: "the caller's share of the streams of the server's state is taken",
    options: { watching: watching("test", 32) },
    errors: { caller_watchers_full: ["GET /status/events"] },
  },
  {
    when: "all streams of the server's state are taken",
    options: { watching: watching("other", 64) },
    errors: { overloaded: ["GET /status/events"] },
  },
  {
    when: "metrics are off",
    options: { config: { metrics: "off" } },
    errors: { not_found: ["GET /metrics"] },
  },
  {
    when: "bodies fill the memory that they may",
    options: { bodies: new BodyBudget(1) },
    fields: { more: "x".repeat(20_000) },
    errors: { overloaded: posts },
  },
  {
    when: "the caller's share of the queue is full",
    options: { ...held, queue: { limitOfCaller: 0 } },
    before: occupy,
    errors: { caller_queue_full: generating },
  },
  {
    when: "the server drains",
    before: ({ queue }) => void queue.drain(),
    options: {},
    errors: { shutting_down: [...generating, ...jobs, ...ready] },
  },
  {
    when: "too many jobs wait",
    options: { config: { jobLimit: 1 }, queue: { capacity: () => 0, timeouts: { queue: 0.01 } } },
    before: async (server) => void (await newJob(server)),
    errors: { jobs_full: jobs, deadline_exceeded: generating, not_ready: ready },
  },
  {
    when: "the caller's share of the waiting jobs is taken",
    options: { config: { jobLimit: 2 }, queue: { capacity: () => 0 } },
    before: async (server) => void (await newJob(server)),
    only: jobs,
    errors: { caller_jobs_full: jobs },
  },
  {
    when: "the caller's share of the store is full",
    options: {},
    headers: { "idempotency-key": "another" },
    before: ({ assembly: { parts } }) => parts.space.take("test", parts.space.limit / 2),
    errors: { caller_store_full: posts },
  },
  {
    when: "the store is full",
    options: { config: { dataBytes: 1 } },
    headers: { "idempotency-key": "another" },
    errors: { store_full: posts },
  },
  {
    when: "the data folder is gone for good",
    options: {},
    headers: { "idempotency-key": "another" },
    before: async ({ assembly: { parts } }) => {
      rmSync(parts.dataDir, { recursive: true });
      writeFileSync(parts.dataDir, "in its place");
      await assert.rejects(parts.store.write([]));
    },
    errors: { store_unwritable: posts },
  },
  {
    when: "the store is closed",
    options: {},
    before: ({ assembly }) => assembly.close(),
    errors: { internal: jobs },
  },
  {
    when: "the tokenizer breaks",
    options: { model: { tokenizer: { size: 100, encode: broken, decode: broken } as never } },
    errors: { internal: posts },
  },
  {
    when: "generations fail",
    options: { answer: () => Promise.reject(new GenerationFailed("out of memory")) },
    errors: { generation_failed: generating },
  },
  {
    when: "the worker is lost",
    options: { answer: () => Promise.reject(new WorkerLost("killed")) },
    errors: { worker_lost: generating },
  },
  {
    when: "a deadline passes",
    options: held,
    fields: { timeout: { total: 0.01 } },
    errors: { deadline_exceeded: generating },
  },
];

function requestOf(operation: string, { headers, fields, body, bytes }: Change): Asked {
  const [method, template] = operation.split(" ") as [string, string];
  const path = template.replace("{model}", "stand-in").replace("{id}", JOB);
  if (method !== "POST") return { method, path, headers: headers ?? {}, ...(bytes && { bytes }) };
  const whole = body ?? JSON.stringify({ ...requests[operation], ...fields });
  return { method, path, headers: headers ?? {}, body: whole, ...(bytes && { bytes }) };
}

function statusOf(operation: string, code: ErrorCode | undefined): number {
  if (code === undefined) return contract.statuses(operation)[0]!;
  return isOpenAiPath(operation.split(" ")[1]!) ? openAiStatus(new PublicError(code)) : errors[code].status;
}

test("every operation of openapi.yaml has a request", () => {
  assert.deepEqual(all.toSorted(), contract.operations.toSorted());
});

const named = ({ when, errors: expected = {} }: Situation) =>
  `when ${when}: ${Object.keys(expected).join(", ") || "no error"}`;

async function askAll(server: Server, situation: Situation): Promise<void> {
  const { when, limits = {}, before, earlier, only = all, errors: expected = {}, ...change } = situation;
  server.setLimits(limits);
  const lease = (await before?.(server)) as Lease | undefined;
  for (const operation of only) {
    const key = earlier && { "idempotency-key": `${when} ${operation}`.replaceAll(" ", "-") };
    const ask = (one: Change) =>
      server.ask(requestOf(operation, { ...one, headers: { ...key, ...one.headers } }));
    if (earlier) await ask(earlier);
    const answer = await ask(change);
    const code = Object.entries(expected).find(([, those]) => those.includes(operation))?.[0] as ErrorCode;
    assert.equal(answer.status, statusOf(operation, code), `${operation}: ${answer.body}`);
    contract.hold(operation, answer, code);
  }
  lease?.settle();
}

test("an ordinary server", async (context) => {
  const server = await serve(context);
  for (const situation of situations.filter(({ options }) => !options))
    await context.test(named(situation), () => askAll(server, situation));
});

for (const situation of situations.filter(({ options }) => options))
  test(named(situation), async (context) => askAll(await serve(context, situation.options), situation));

/** Answers of single operations, and of paths and methods without an operation (null). */
const others: [
  operation: string | null,
  asked: Partial<Asked> & { path: string },
  expected: ErrorCode | number,
][] = [
  ["GET /v1/models/{model}", { path: "/v1/models/other" }, "model_not_found"],
  ["GET /v1/models/{model}", { path: "/v1/models/%ff" }, "malformed_url"],
  ["GET /jobs", { path: "/jobs?state=nonsense" }, "invalid_body"],
  ["GET /jobs/{id}/events", { path: `/jobs/${JOB}/events`, headers: { "last-event-id": "end" } }, 204],
  [
    "GET /jobs/{id}/events",
    { path: `/jobs/${JOB}/events`, headers: { "last-event-id": "x" } },
    "invalid_body",
  ],
  ...["GET /jobs/{id}", "GET /jobs/{id}/events", "DELETE /jobs/{id}"].flatMap((operation): typeof others => {
    const [method, path] = operation.split(" ") as [string, string];
    const at = (id: string) => ({ method, path: path.replace("{id}", id) });
    return [
      [operation, at("none"), "job_not_found"],
      [operation, at("%ff"), "malformed_url"],
      [operation, at("x".repeat(65)), "invalid_body"],
    ];
  }),
  ...(
    [
      ["POST /jobs", { ...requests["POST /v1/chat/completions"], max_tokens: 65 }, "context_length_exceeded"],
      ["POST /jobs", { ...requests["POST /v1/chat/completions"], model: "other" }, "model_not_found"],
      // Sent twice with one Idempotency-Key: the second answer is a replay.
      ["POST /detokenize", { tokens: [100] }, "invalid_body"],
      ["POST /detokenize", { tokens: [100] }, "invalid_body"],
    ] as [string, object, ErrorCode][]
  ).map(([operation, body, code]): (typeof others)[number] => {
    const [method, path] = operation.split(" ") as [string, string];
    const text = JSON.stringify(body);
    const headers = { "idempotency-key": String(text.length) };
    return [operation, { method, path, headers, body: text }, code];
  }),
  [null, { path: "/%" }, "malformed_url"],
  [null, { path: "/v1/%" }, "malformed_url"],
  [null, { path: "/nothing" }, "not_found"],
  [null, { path: "/v1/nothing" }, "not_found"],
  ...["/generate", "/v1/completions"].map((path): (typeof others)[number] => [
    null,
    { method: "PATCH", path },
    "method_not_allowed",
  ]),
];

test("answers of single operations, and of unknown paths and methods", async (context) => {
  const server = await serve(context);
  for (const [operation, asked, expected] of others) {
    const answer = await server.ask(asked);
    const what = `${asked.method} ${asked.path}: ${answer.body}`;
    if (typeof expected === "number") {
      assert.equal(answer.status, expected, what);
      contract.hold(operation, answer);
    } else {
      assert.equal(answer.status, statusOf(`GET ${asked.path}`, expected), what);
      contract.hold(operation, answer, expected);
    }
  }
});

test("a done job can be read, and then removed", async (context) => {
  const server = await serve(context);
  const { id } = await doneJob(server);
  for (const [operation, status] of [
    ["GET /jobs/{id}", 200],
    ["GET /jobs/{id}/events", 200],
    ["DELETE /jobs/{id}", 204],
  ] as const) {
    const [method, path] = operation.split(" ") as [string, string];
    const answer = await server.ask({ method, path: path.replace("{id}", id) });
    assert.equal(answer.status, status);
    contract.hold(operation, answer);
  }
});

test("if the store is closed, a done job can neither be read nor removed", async (context) => {
  const server = await serve(context);
  const { id } = await doneJob(server);
  await server.assembly.close();
  for (const method of ["GET", "DELETE"])
    contract.hold(`${method} /jobs/{id}`, await server.ask({ method, path: `/jobs/${id}` }), "internal");
});

test("a request whose stored answer is lost is not carried out again", async (context) => {
  const server = await serve(context);
  const { store } = server.assembly.parts;
  for (const operation of posts) {
    const ask = () =>
      server.ask(requestOf(operation, { headers: { "idempotency-key": operation.replace(" ", "-") } }));
    assert.ok((await ask()).status < 300);
    await store.write((await store.keys("answer/")).map((key) => [key, null]));
    contract.hold(operation, await ask(), "record_damaged");
  }
});

test("a job that was interrupted too often fails with job_interrupted", async (context) => {
  const server = await serve(context, { loading: true });
  const job = await newJob(server);
  for (let run = 0; run < 5; run++) server.assembly.parts.jobs.putBack(server.assembly.parts.jobs.next()!);
  server.queue.open();
  server.assembly.dispatch();
  while (job.state !== "failed") await new Promise((resolve) => setImmediate(resolve));
  const answer = await server.ask({ path: `/jobs/${job.id}` });
  contract.hold("GET /jobs/{id}", answer);
  assert.equal(JSON.parse(answer.body).error.code, "job_interrupted");
});

test("a request that waits when the drain ends gets draining, with its queue position", async (context) => {
  const server = await serve(context, held);
  await occupy(server);
  const waiting = ["POST /generate", "POST /v1/completions"].map(async (operation) => ({
    operation,
    answer: await server.ask(requestOf(operation, {})),
  }));
  while (server.queue.waiting < 2) await new Promise((resolve) => setImmediate(resolve));
  void server.queue.drain();
  server.queue.clear();
  for (const { operation, answer } of await Promise.all(waiting)) {
    assert.match(String(answer.headers["x-queue-position"]), /^[12]$/);
    contract.hold(operation, answer, "shutting_down");
  }
});

test("a stream has its queue position, its text and an error midway", async (context) => {
  const server = await serve(context, held);
  for (const operation of generating) {
    await occupy(server);
    const { length } = server.jobs;
    const streaming = server.ask(requestOf(operation, { fields: { stream: true } }));
    while (server.queue.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
    server.jobs.at(-1)!.finish();
    await server.until(() => server.jobs.length > length);
    server.jobs.at(-1)!.say("!", 1);
    server.jobs.at(-1)!.fail(new WorkerLost("killed"));
    const answer = await streaming;
    assert.match(answer.body, /queue.*"!".*The worker that ran this request was lost/s);
    contract.hold(operation, answer);
  }
});

test("answers that belong to no operation have an X-Request-Id too", async (context) => {
  const { ask, port } = await serve(context);
  for (const [method, path, status] of [
    ["HEAD", "/generate", 405],
    ["HEAD", "/health", 200],
    ["OPTIONS", "/generate", 204],
    ["GET", "/docs/", 307],
    ["GET", "/docs/swagger-ui.css", 200],
    ["GET", "/redoc/redoc.standalone.js", 200],
  ] as const) {
    const answer = await ask({ method, path });
    assert.equal(answer.status, status);
    assert.match(String(answer.headers["x-request-id"]), /^[0-9a-f-]{36}$/, path);
  }
  const socket = connect(port, "127.0.0.1").end("hello\r\n\r\n");
  assert.match(await text(socket), /^HTTP\/1\.1 400 .*\r\nX-Request-Id: [0-9a-f-]{36}\r\n/s);
});

test("a request that is not valid HTTP has one answer, whatever its path and method", async (context) => {
  const { port } = await serve(context);
  for (const path of ["/health", "/nothing", "/v1/models"]) {
    const bytes = Buffer.from(`GET ${path} HTTP/1.1\r\n\r\n`);
    const [answer] = responsesOf(await converse(port, { bytes }), ["GET"]);
    assert.equal(answer!.status, 400);
    contract.hold(null, { ...answer!, path }, "malformed_request");
  }
});

test("a server without keys refuses a host that is not its own, on every operation", async (context) => {
  const { port } = await serveStandIn(context, { validateResponses: false });
  const headers = { host: "evil.example" };
  for (const operation of all) {
    const answer = await exchange(port, { ...requestOf(operation, {}), headers });
    assert.equal(answer.status, 421, operation);
    contract.hold(operation, answer, "misdirected");
  }
});

// Must stay the last test: it needs the answers of all others.
test("everything documented was shown by some answer", () => {
  assert.deepEqual(contract.unshown, []);
});
