import assert from "node:assert/strict";
import { test } from "node:test";
import { serveStandIn } from "../fixtures/stand-in.js";

const MANY = 300_000;

for (const [what, path, body] of [
  ["entries of a wrong type", "/v1/completions", { prompt: Array(MANY).fill(0.5) }],
  ["entries of a wrong type, deep down", "/v1/completions", { prompt: [[1], Array(MANY).fill(null)] }],
  ["messages", "/v1/chat/completions", { messages: Array(MANY).fill({}) }],
  ["parts", "/v1/chat/completions", { messages: [{ role: "user", content: Array(MANY).fill({}) }] }],
  ["stop texts", "/generate", { prompt: "x", stop: Array(MANY).fill(0) }],
  ["words among tokens", "/detokenize", { tokens: Array(200_000).fill("") }],
] as const) {
  test(`a huge list of ${what} is refused with one error`, async (context) => {
    const { post } = await serveStandIn(context, { maxBodyBytes: 16 * 1024 * 1024 });
    const response = await post(path, body);
    assert.ok([400, 422].includes(response.status));
    assert.ok((await response.text()).length < 1000, "one error, not one for each entry");
  });
}

const bias = (count: number, value: unknown) =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [at, value]));

test("a huge map is refused with one error", async (context) => {
  const { post } = await serveStandIn(context);
  const response = await post("/generate", { prompt: "x", logit_bias: bias(55_000, "no!!") });
  assert.equal(response.status, 422);
  assert.ok((await response.text()).length < 1000, "one error, not one for each entry");
});

for (const [path, body] of [
  ["/generate", {}],
  ["/jobs", { endpoint: "/generate" }],
] as const) {
  test(`a list of errors of ${path} is cut, and its last entry says how many more there are`, async (context) => {
    const { post } = await serveStandIn(context);
    const response = await post(path, { ...body, prompt: "x", logit_bias: bias(1000, "no!!") });
    assert.equal(response.status, 422);
    const { detail } = (await response.json()) as { detail: { loc: string[]; msg: string; type: string }[] };
    assert.equal(detail.length, 21);
    assert.deepEqual(detail[0]!.loc, ["body", "logit_bias", 0]);
    assert.deepEqual(detail[20], {
      loc: ["body"],
      msg: "Value error, there are 980 more errors, which are not listed",
      type: "too_many_errors",
    });
  });
}
