// API keys over HTTP.
import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { serveStandIn } from "../fixtures/stand-in.js";
import { pageAssets } from "../routes/docs.js";
import { hashKey, type Limits, unlimited } from "../settings/key.js";
import { Callers } from "./callers.js";

const KEY = "a-key-of-the-test";
const bearer = { authorization: `Bearer ${KEY}` };
const json = { "content-type": "application/json" };
const body = '{"prompt":"x","max_tokens":1}';

async function serve(context: TestContext, limits: Partial<Limits> = {}) {
  const clock = { now: Date.parse("2026-01-31T12:00:00Z") };
  const keys = [{ name: "test", hash: hashKey(KEY), priority: 3, limits: { ...unlimited, ...limits } }];
  const callers = new Callers(keys, () => clock.now);
  return { clock, callers, ...(await serveStandIn(context, { callers })) };
}

/** Sends any method and headers, some of which fetch would refuse. */
async function ask(port: number, method: string, path: string, headers: Record<string, string> = {}) {
  const sent = httpRequest({ port, host: "127.0.0.1", method, path, headers, agent: false });
  sent.end();
  const [response] = (await once(sent, "response")) as [import("node:http").IncomingMessage];
  let text = "";
  response.setEncoding("utf8");
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, headers: response.headers, text };
}

const openPaths = ["/", "/live", "/ready", "/health", "/docs", "/redoc", "/openapi.json", ...pageAssets];
/** Browsers often open these paths, and they can't send a key. */
const slashedPages = ["/docs/", "/redoc/"];
const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "QUERY"];
const undocumented = [
  "/nothing",
  "/health/",
  "/health/x",
  "/Health",
  "//",
  "//health",
  "/docs/swagger-ui.css.map",
  "/docs/../generate",
  "/docs/%2e%2e/generate",
  "/openapi.yaml",
  "/v1",
  "/v1/",
  "/v1/anything",
  "/never-documented",
  "/.env",
  "/%",
  "/%ff",
  "/%00",
  "/health%00",
  "/generate/",
  "/?/health",
];

test("without a key only open paths are answered, whatever the method", async (context) => {
  const { port, document, jobs } = await serve(context);
  const paths = new Set([...Object.keys(document.paths), ...openPaths, ...slashedPages, ...undocumented]);
  for (const path of paths) {
    for (const method of methods) {
      const { status, headers, text } = await ask(port, method, path);
      const what = `${method} ${path}`;
      // "/?/health" is the open path "/" with a query.
      if ((openPaths.includes(path) || path === "/?/health") && (method === "GET" || method === "HEAD")) {
        assert.equal(status, 200, what);
        continue;
      }
      if (slashedPages.includes(path) && (method === "GET" || method === "HEAD")) {
        assert.deepEqual([status, headers.location], [307, path.slice(0, -1)], what);
        continue;
      }
      assert.equal(status, 401, what);
      assert.equal(headers["www-authenticate"], "Bearer", what);
      assert.equal(headers.allow, undefined, what);
      if (method === "HEAD") continue;
      const { detail, error } = JSON.parse(text);
      assert.equal(
        /^\/v1(\/|$)/.test(path) ? error.message : detail,
        "Expected a valid API key, as Authorization: Bearer KEY or as X-API-Key",
        what,
      );
    }
  }
  assert.equal(jobs.length, 0);
});

test("with the key every path is answered as usual", async (context) => {
  const { url, port } = await serve(context);
  const generate = (headers: Record<string, string>) =>
    fetch(`${url}/generate`, { method: "POST", headers: { ...json, ...headers }, body });
  assert.equal((await generate(bearer)).status, 200);
  assert.equal((await generate({ "X-API-Key": KEY })).status, 200);
  assert.equal((await ask(port, "GET", "/nothing", bearer)).status, 404);
  assert.equal((await ask(port, "PUT", "/generate", bearer)).status, 405);
  assert.equal((await ask(port, "OPTIONS", "/generate", bearer)).status, 204);
  assert.equal((await ask(port, "GET", "/%ff", bearer)).status, 400);
});

for (const [what, headers, status] of [
  ["the scheme in any case", { authorization: `bEARER  ${KEY}` }, 200],
  ["another scheme", { authorization: `Basic ${KEY}` }, 401],
  ["no scheme", { authorization: KEY }, 401],
  ["a scheme alone", { authorization: "Bearer" }, 401],
  ["two keys", { authorization: `Bearer ${KEY} ${KEY}` }, 401],
  ["another key", { authorization: `Bearer ${KEY}x` }, 401],
  ["the key in another case", { authorization: `Bearer ${KEY.toUpperCase()}` }, 401],
  ["the key's hash", { authorization: `Bearer ${hashKey(KEY).toString("hex")}` }, 401],
  ["the key's name", { authorization: "Bearer test" }, 401],
  ["X-API-Key beside a proxy's Authorization", { authorization: "Basic eDp5", "x-api-key": KEY }, 200],
  ["a wrong X-API-Key beside the right Bearer", { ...bearer, "x-api-key": "wrong" }, 401],
  ["a long key", { "x-api-key": "x".repeat(10_000) }, 401],
  ["a key in the query", {}, 401],
] as const) {
  test(`${what}: ${status}`, async (context) => {
    const { port } = await serve(context);
    const answer = await ask(port, "GET", `/v1/usage?api_key=${KEY}&access_token=${KEY}`, headers);
    assert.equal(answer.status, status);
  });
}

test("the refusal comes before the body is sent", async (context) => {
  const { port } = await serve(context);
  const socket = connect(port, "127.0.0.1");
  context.after(() => socket.destroy());
  socket.write("POST /generate HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n{");
  const [answer] = (await once(socket, "data")) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 401 /);
});

test("a key is never logged or sent back", async (context) => {
  const { url, lines, port } = await serve(context, { requestsPerMinute: 1 });
  const seen: string[] = [];
  const generate = async (sent: string) => {
    const response = await fetch(`${url}/generate`, {
      method: "POST",
      headers: { ...json, ...bearer },
      body: sent,
    });
    seen.push(JSON.stringify([...response.headers]), await response.text());
    return response.status;
  };
  assert.equal(await generate(body), 200);
  assert.equal(await generate(body), 429);
  for (const key of [KEY, "wrong-key"]) {
    const { headers, text } = await ask(port, "GET", "/v1/usage", { "x-api-key": key });
    seen.push(JSON.stringify(headers), text);
  }
  for (const text of [...seen, ...lines]) assert.doesNotMatch(text, /a-key-of|wrong-key/);
});

test("requests past the limit get 429, and pass after Retry-After; GET requests don't count", async (context) => {
  const { url, clock } = await serve(context, { requestsPerMinute: 2 });
  const post = () => fetch(`${url}/generate`, { method: "POST", headers: { ...json, ...bearer }, body });
  const headersOf = (response: Response) =>
    ["limit", "remaining", "reset"].map((what) => response.headers.get(`x-ratelimit-${what}-requests`));
  for (let n = 0; n < 5; n++) assert.equal((await fetch(`${url}/v1/usage`, { headers: bearer })).status, 200);
  const first = await post();
  assert.equal(first.status, 200);
  assert.deepEqual(headersOf(first), ["2", "1", "30s"]);
  assert.equal((await post()).status, 200);
  const refused = await post();
  assert.equal(refused.status, 429);
  assert.deepEqual(headersOf(refused), ["2", "0", "1m0s"]);
  assert.deepEqual(await refused.json(), { detail: "This key's requests of a minute are used up" });
  const retryAfter = Number(refused.headers.get("retry-after"));
  assert.equal(retryAfter, 30);
  clock.now += retryAfter * 1000 - 1;
  assert.equal((await post()).status, 429);
  clock.now += 1;
  assert.equal((await post()).status, 200);
});

test("the headers show the tokens left when the answer begins", async (context) => {
  const { url, callers } = await serve(context, { tokensPerMinute: 1000, tokensPerDay: 50_000 });
  callers.named("test")!.admit({ tokens: 400 });
  const response = await fetch(`${url}/v1/usage`, { headers: bearer });
  assert.equal(response.headers.get("x-ratelimit-limit-tokens"), "1000");
  assert.equal(response.headers.get("x-ratelimit-remaining-tokens"), "600");
  assert.equal(response.headers.get("x-ratelimit-reset-tokens"), "0ms");
  assert.equal(response.headers.get("x-ratelimit-limit-requests"), null);
});

test("a stream has the headers too", async (context) => {
  const { url } = await serve(context, { requestsPerMinute: 9 });
  const response = await fetch(`${url}/generate`, {
    method: "POST",
    headers: { ...json, ...bearer },
    body: '{"prompt":"x","max_tokens":1,"stream":true}',
  });
  assert.match(response.headers.get("content-type")!, /^text\/event-stream/);
  assert.equal(response.headers.get("x-ratelimit-remaining-requests"), "8");
  await response.text();
});

test("a removed key is refused from the next request on", async (context) => {
  const { url, callers } = await serve(context);
  const usage = async () => (await fetch(`${url}/v1/usage`, { headers: bearer })).status;
  assert.equal(await usage(), 200);
  callers.replace([]);
  assert.equal(await usage(), 401);
});
