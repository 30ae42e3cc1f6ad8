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
