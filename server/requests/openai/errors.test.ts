// Every error of OpenAI's paths, as clients get it.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type StandInOptions, serveStandIn } from "../../fixtures/stand-in.js";
import { Callers } from "../../keys/callers.js";
import { GenerationFailed, WorkerLost } from "../../pool/pool.js";
import { hashKey, type Limits, unlimited } from "../../settings/key.js";

const PATH = "/v1/chat/completions";
const body = JSON.stringify({ messages: [{ role: "user", content: "x" }], max_tokens: 5 });
const json = { "content-type": "application/json" };

function callers(limits: Partial<Limits> = {}): Callers {
  return new Callers([{ name: "a", hash: hashKey("one"), priority: 0, limits: { ...unlimited, ...limits } }]);
}

/** Checks a response's error, and its Retry-After where there must be one. */
async function expectError(response: Response, status: number, type: string, code: string): Promise<void> {
  const { error } = (await response.json()) as { error: Record<string, string> };
  assert.deepEqual([response.status, error.type, error.code], [status, type, code]);
  assert.equal(typeof error.message, "string");
  assert.ok(response.headers.get("x-request-id"));
  if ([429, 503].includes(status)) assert.ok(Number(response.headers.get("retry-after")) >= 1);
}

const invalid = "invalid_request_error";
const limited = "rate_limit_error";

for (const [code, status, options, request] of [
  ["unreadable_body", 400, {}, { body: Buffer.from([0x22, 0xff, 0x22]), headers: json }],
  ["unsupported_media_type", 415, {}, { body, headers: { "content-type": "text/plain" } }],
  ["unsupported_charset", 415, {}, { body, headers: { "content-type": "application/json; charset=euc-kr" } }],
  ["unsupported_encoding", 415, {}, { body, headers: { ...json, "content-encoding": "gzip" } }],
  ["body_too_large", 413, { maxBodyBytes: 10 }, { body, headers: json }],
  ["method_not_supported", 405, {}, { method: "GET" }],
  ["invalid_api_key", 401, { callers: callers() }, { body, headers: json }],
  [
    "over_quota",
    403,
    { callers: callers({ tokensPerMinute: 10 }) },
    { body, headers: { ...json, "x-api-key": "one" } },
  ],
] as [string, number, StandInOptions, RequestInit][]) {
  test(`${code} is answered in OpenAI's form`, async (context) => {
    const { url } = await serveStandIn(context, options);
    await expectError(await fetch(`${url}${PATH}`, { method: "POST", ...request }), status, invalid, code);
  });
}

test("malformed_url is answered in OpenAI's form", async (context) => {
  const { url } = await serveStandIn(context);
  await expectError(await fetch(`${url}/v1/models/%ff`), 400, invalid, "malformed_url");
});

test("a key's limits are rate limit errors", async (context) => {
  const { url } = await serveStandIn(context, { callers: callers({ requestsPerMinute: 1 }) });
  const headers = { ...json, authorization: "Bearer one" };
  const ask = () => fetch(`${url}${PATH}`, { method: "POST", body, headers });
  assert.equal((await ask()).status, 200);
  await expectError(await ask(), 429, limited, "rate_limit_exceeded");
});

/** A server whose only slot is taken. */
async function serveBusy(context: TestContext, options: StandInOptions) {
  const server = await serveStandIn(context, { hold: true, slots: 1, ...options });
  const held = server.post(PATH, body);
  await server.until(() => server.jobs.length === 1);
  return { ...server, held };
}

test("a caller's full share of the queue is a rate limit error", async (context) => {
  const { post, jobs, held } = await serveBusy(context, { limit: 4, queue: { limitOfCaller: 0 } });
  await expectError(await post(PATH, body), 429, limited, "rate_limit_exceeded");
  jobs[0]!.finish();
  await (await held).text();
});

test("a full queue is a server error", async (context) => {
  const { post, jobs, held } = await serveBusy(context, { limit: 0 });
  await expectError(await post(PATH, body), 503, "server_error", "queue_full");
  jobs[0]!.finish();
  await (await held).text();
});

test("a draining or loading server is a server error", async (context) => {
  const loading = await serveStandIn(context, { loading: true });
  await expectError(await loading.post(PATH, body), 503, "server_error", "model_loading");
  const { post, jobs, held, queue } = await serveBusy(context, { limit: 4 });
  const drained = queue.drain();
  await expectError(await post(PATH, body), 503, "server_error", "shutting_down");
  jobs[0]!.finish();
  await (await held).text();
  await drained;
});

for (const [code, error] of [
  ["generation_failed", new GenerationFailed("secret")],
  ["worker_lost", new WorkerLost("secret")],
  ["internal", new Error("secret")],
] as const) {
  test(`${code} is a server error without details`, async (context) => {
    const { jobs, held } = await serveBusy(context, {});
    jobs[0]!.fail(error);
    const response = await held;
    const text = await response.clone().text();
    assert.ok(!text.includes("secret"));
    await expectError(response, 500, "server_error", code);
  });
}

test("a passed deadline is a server error that names the deadline", async (context) => {
  const { post, until, jobs, held } = await serveBusy(context, { limit: 4 });
  const { error } = (await (await post(PATH, { ...JSON.parse(body), timeout: { queue: 0.001 } })).json()) as {
    error: { code: string; message: string };
  };
  assert.equal(error.code, "deadline_exceeded");
  assert.match(error.message, /waiting for a slot/);
  await until(() => jobs.length === 1);
  jobs[0]!.finish();
  await (await held).text();
});
