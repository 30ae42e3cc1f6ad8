import assert from "node:assert/strict";
import { test } from "node:test";
import { serveStandIn } from "../fixtures/stand-in.js";

test("the served model is the only one in the list, and can be retrieved", async (context) => {
  const { url } = await serveStandIn(context);
  const { object, data } = (await (await fetch(`${url}/v1/models`)).json()) as {
    object: string;
    data: object[];
  };
  assert.equal(object, "list");
  assert.equal(data.length, 1);
  const { created, ...model } = data[0] as { created: number };
  assert.ok(Number.isSafeInteger(created));
  assert.deepEqual(model, { id: "stand-in", object: "model", owned_by: "jai-server", max_model_len: 64 });
  assert.deepEqual(await (await fetch(`${url}/v1/models/stand-in`)).json(), data[0]);
});

test("unknown models and paths get OpenAI's errors", async (context) => {
  const { url } = await serveStandIn(context);
  for (const [path, code] of [
    ["/v1/models/gpt-4", "model_not_found"],
    ["/v1/models/org%2Fmodel", "model_not_found"],
    ["/v1/models/a/b", "unknown_url"],
    ["/v1/embeddings", "unknown_url"],
    ["/v1", "unknown_url"],
  ] as const) {
    const response = await fetch(`${url}${path}`);
    assert.equal(response.status, 404, path);
    assert.equal(((await response.json()) as { error: { code: string } }).error.code, code, path);
  }
});

test("a method that a path lacks is refused in OpenAI's form, with Allow", async (context) => {
  const { post } = await serveStandIn(context);
  const response = await post("/v1/models/stand-in", {});
  assert.equal(response.status, 405);
  assert.equal(response.headers.get("allow"), "GET, HEAD, OPTIONS");
  assert.equal(((await response.json()) as { error: { code: string } }).error.code, "method_not_supported");
});
