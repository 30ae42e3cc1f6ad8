import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { serveStandIn } from "../fixtures/stand-in.js";
import { Callers } from "../keys/callers.js";
import { hashKey, unlimited } from "../settings/key.js";

const origin = "https://app.example";
const key = { name: "a", hash: hashKey("one"), priority: 0, limits: { ...unlimited, requestsPerMinute: 60 } };

async function serve(context: TestContext, corsOrigins: readonly string[] | "none" | "*") {
  const { url } = await serveStandIn(context, { callers: new Callers([key]), corsOrigins });
  return {
    preflight: (headers: Record<string, string>, path = "/generate") =>
      fetch(url + path, {
        method: "OPTIONS",
        headers: { origin, "access-control-request-method": "POST", ...headers },
      }),
    usage: (headers: Record<string, string>) => fetch(`${url}/v1/usage`, { headers }),
  };
}

const list = (response: Response, name: string) =>
  (response.headers.get(name) ?? "").toLowerCase().split(/, */).filter(Boolean);

test("off by default: no access-control headers, and a preflight needs a key like any request", async (context) => {
  const { preflight, usage } = await serve(context, "none");
  const refused = await preflight({});
  assert.equal(refused.status, 401);
  for (const response of [refused, await usage({ origin, "x-api-key": "one" })])
    assert.deepEqual(
      [...response.headers.keys()].filter((name) => name.startsWith("access-control")),
      [],
    );
});

test("a listed origin's preflight needs no key, and allows what clients send", async (context) => {
  const { preflight } = await serve(context, ["https://other.example", origin]);
  const asked = "authorization,content-type,idempotency-key,last-event-id,x-api-key,x-stainless-lang";
  for (const path of ["/generate", "/v1/usage", "/nothing"]) {
    const response = await preflight({ "access-control-request-headers": asked }, path);
    assert.equal(response.status, 204);
    assert.equal(response.headers.get("access-control-allow-origin"), origin);
    assert.deepEqual(list(response, "access-control-allow-headers"), asked.split(","));
    assert.deepEqual(list(response, "access-control-allow-methods"), ["get", "head", "post", "delete"]);
    assert.equal(response.headers.get("access-control-allow-credentials"), null);
    assert.ok(list(response, "vary").includes("origin"));
  }
});

test("a listed origin may read answers, errors included, and the headers that clients need", async (context) => {
  const { usage } = await serve(context, [origin]);
  for (const [sent, status] of [
    ["one", 200],
    ["wrong", 401],
  ] as const) {
    const response = await usage({ origin, "x-api-key": sent });
    assert.equal(response.status, status);
    assert.equal(response.headers.get("access-control-allow-origin"), origin);
    const exposed = list(response, "access-control-expose-headers");
    for (const name of [
      "x-request-id",
      "x-queue-position",
      "x-queue-time",
      "retry-after",
      ...["limit", "remaining", "reset"].flatMap((what) => [
        `x-ratelimit-${what}-requests`,
        `x-ratelimit-${what}-tokens`,
      ]),
    ])
      assert.ok(exposed.includes(name), name);
  }
});

test("an origin that is not listed gets no Access-Control-Allow-Origin", async (context) => {
  const { preflight, usage } = await serve(context, [origin]);
  for (const stranger of [
    "https://evil.example",
    "https://app.example.evil.example",
    "null",
    "http://app.example",
  ]) {
    for (const response of [
      await preflight({ origin: stranger }),
      await usage({ origin: stranger, "x-api-key": "one" }),
    ])
      assert.equal(response.headers.get("access-control-allow-origin"), null);
  }
});

test("* allows every origin, without credentials", async (context) => {
  const { preflight, usage } = await serve(context, "*");
  for (const response of [await preflight({}), await usage({ origin, "x-api-key": "one" })]) {
    assert.equal(response.headers.get("access-control-allow-origin"), "*");
    assert.equal(response.headers.get("access-control-allow-credentials"), null);
  }
});

test("an OPTIONS request that is not a preflight needs a key", async (context) => {
  const { url } = await serveStandIn(context, { callers: new Callers([key]), corsOrigins: "*" });
  const options = (headers: Record<string, string>) =>
    fetch(`${url}/generate`, { method: "OPTIONS", headers });
  assert.equal((await options({ origin })).status, 401);
  assert.equal((await options({ "access-control-request-method": "POST" })).status, 401);
  const allowed = await options({ origin, "x-api-key": "one" });
  assert.deepEqual([allowed.status, allowed.headers.get("allow")], [204, "POST, OPTIONS"]);
});
