import assert from "node:assert/strict";
import { test } from "node:test";
import { read, tokenizer } from "../fixtures/byte-answers.js";
import { serveStandIn } from "../fixtures/stand-in.js";

const bytes = { model: { tokenizer } };
const messages = [{ role: "user", content: "é" }];
const rendered = "[QUESTION]\né\n[/QUESTION]\n\n[ANSWER]\n";

test("a text is turned into tokens, and tokens into text", async (context) => {
  const { post } = await serveStandIn(context, bytes);
  assert.deepEqual(await read(await post("/tokenize", { prompt: "é!" })), {
    tokens: [0xc3, 0xa9, 33],
    count: 3,
    max_model_len: 64,
    token_strs: null,
  });
  assert.deepEqual(await read(await post("/detokenize", { tokens: [0xc3, 0xa9, 33] })), { prompt: "é!" });
});

test("each token's text is returned on request", async (context) => {
  const { post } = await serveStandIn(context, bytes);
  const body = { prompt: "é!", return_token_strs: true };
  const { token_strs } = await read(await post("/tokenize", body));
  assert.deepEqual(token_strs, ["\ufffd", "\ufffd", "!"]);
});

test("messages are rendered and tokenized, the same by both tools", async (context) => {
  const { post } = await serveStandIn(context, bytes);
  const tokens = tokenizer.encode(rendered);
  const counted = { tokens, count: tokens.length, max_model_len: 64 };
  assert.deepEqual(await read(await post("/v1/chat/completions/render", { messages })), {
    prompt: rendered,
    ...counted,
  });
  assert.deepEqual(await read(await post("/tokenize", { messages })), { ...counted, token_strs: null });
});

test("a text without tokens gives an empty list, not an error", async (context) => {
  const { post } = await serveStandIn(context, bytes);
  assert.equal((await read(await post("/tokenize", { prompt: "" }))).count, 0);
  assert.deepEqual(await read(await post("/detokenize", { tokens: [] })), { prompt: "" });
});

test("the tools work while the queue is full", async (context) => {
  const { post, jobs, until } = await serveStandIn(context, { ...bytes, hold: true, slots: 1, limit: 0 });
  const first = post("/generate", { prompt: "x" });
  await until(() => jobs.length === 1);
  await read(await post("/tokenize", { prompt: "x" }));
  jobs[0]!.finish();
  await (await first).text();
});

const refusals = [
  ["neither prompt nor messages", "/tokenize", {}, 422, /either prompt or messages, got neither/],
  ["both", "/tokenize", { prompt: "x", messages }, 422, /got both/],
  ["a number as prompt", "/tokenize", { prompt: 5 }, 422, /valid string/],
  ["a prompt past the limit", "/tokenize", { prompt: "x".repeat(40_000) }, 422, /32768/],
  ["another model", "/tokenize", { prompt: "x", model: "y" }, 404, /"y"/],
  ["no tokens", "/detokenize", {}, 422, /Field required/],
  ["a token past the vocabulary", "/detokenize", { tokens: [9999] }, 422, /got 9999/],
  ["a text as a token", "/detokenize", { tokens: ["a"] }, 422, /integer/],
] as [string, string, object, number, RegExp][];

test("the tools' errors have FastAPI's form", async (context) => {
  const { post } = await serveStandIn(context, bytes);
  for (const [what, path, body, status, message] of refusals) {
    await context.test(`${path}: ${what}`, async () => {
      const response = await post(path, body);
      assert.equal(response.status, status);
      const { detail } = (await response.json()) as { detail: string | { msg: string }[] };
      assert.match(typeof detail === "string" ? detail : detail[0]!.msg, message);
    });
  }
});

test("render's errors have OpenAI's form", async (context) => {
  const { post } = await serveStandIn(context, bytes);
  const response = await post("/v1/chat/completions/render", {
    messages: [{ role: "system", content: "x" }],
  });
  assert.equal(response.status, 400);
  assert.match(((await response.json()) as { error: { message: string } }).error.message, /got system/);
});
