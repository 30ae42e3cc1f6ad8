import assert from "node:assert/strict";
import { test } from "node:test";
import { compileChatTemplate } from "../../models/chat-template.js";
import { byteTokenizer } from "../../models/fixtures/model.js";
import { createTokenizer } from "../../models/tokenizer/tokenizer.js";
import { read, tokenizer } from "../fixtures/byte-answers.js";
import { localTexts } from "../fixtures/local-texts.js";
import { namedCallers } from "../fixtures/named-callers.js";
import { serveStandIn, usualModel } from "../fixtures/stand-in.js";

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

test("a prompt gets what the tokenizer adds, and messages don't, unless the body says otherwise", async (context) => {
  const beginning = createTokenizer(
    {
      ...byteTokenizer(),
      post_processor: {
        type: "TemplateProcessing",
        single: [{ SpecialToken: { id: "[EOS]", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
        special_tokens: { "[EOS]": { id: "[EOS]", ids: [256], tokens: ["[EOS]"] } },
      },
    },
    { bos_token: "[EOS]" },
  );
  const template = compileChatTemplate("{{ bos_token }}{{ messages[0].content }}", { bos_token: "[EOS]" });
  const model = { tokenizer: beginning, chatTemplate: template };
  const { post, jobs } = await serveStandIn(context, { model });
  const hi = [{ role: "user", content: "a" }];
  const tokens = async (body: object) => (await read(await post("/tokenize", body))).tokens;
  assert.deepEqual(await tokens({ prompt: "a" }), [256, 97]);
  assert.deepEqual(await tokens({ prompt: "a", add_special_tokens: false }), [97]);
  assert.deepEqual(await tokens({ messages: hi }), [256, 97]);
  assert.deepEqual(await tokens({ messages: hi, add_special_tokens: true }), [256, 256, 97]);
  assert.deepEqual(
    (await read(await post("/v1/chat/completions/render", { messages: hi }))).tokens,
    [256, 97],
  );
  for (const [path, body] of [
    ["/generate", { prompt: "a" }],
    ["/chat", { prompt: "a" }],
    ["/v1/completions", { prompt: "a" }],
    ["/v1/chat/completions", { messages: hi }],
  ] as const) {
    await read(await post(path, { ...body, max_tokens: 1 }));
    assert.deepEqual(jobs.at(-1)?.task.promptIds, [256, 97], path);
  }
});

test("a model without a chat template refuses messages, and jobs that have some, with one sentence that says what to do", async (context) => {
  const { post } = await serveStandIn(context, { model: { tokenizer, chatTemplate: null } });
  const detail =
    "This model has no chat template: use /generate or /v1/completions, or import it again with --chat-template";
  for (const [path, body] of [
    ["/tokenize", { messages }],
    ["/chat", { prompt: "x" }],
    ["/jobs", { endpoint: "/chat", prompt: "x" }],
    ["/jobs", { messages }],
  ] as const) {
    const response = await post(path, body);
    assert.deepEqual([response.status, await response.json()], [400, { detail }], path);
  }
  for (const path of ["/v1/chat/completions", "/v1/chat/completions/render"]) {
    const response = await post(path, { messages });
    const error = { message: detail, type: "invalid_request_error", param: null, code: "no_chat_template" };
    assert.deepEqual([response.status, await response.json()], [400, { error }], path);
  }
  await read(await post("/tokenize", { prompt: "x" }));
  await read(await post("/generate", { prompt: "x", max_tokens: 1 }));
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

test("a caller that floods the tools gets 429, and the other one its answers", async (context) => {
  const ends: (() => void)[] = [];
  const local = localTexts(usualModel, { places: 8, several: () => true });
  const encode = async (texts: readonly string[]) => {
    if (texts[0] === "slow") await new Promise<void>((resolve) => ends.push(resolve));
    return [[1]];
  };
  const texts = { ...local, reader: () => ({ ...local.reader({ caller: "" }), encode }) };
  const { url } = await serveStandIn(context, { callers: namedCallers(["anna", "ben"]), texts });
  const ask = (key: string, prompt: string, path = "/tokenize") =>
    fetch(url + path, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": key },
      body: JSON.stringify(
        path === "/detokenize" ? { tokens: [65] } : path === "/tokenize" ? { prompt } : { messages },
      ),
    });
  const flood = Array.from({ length: 20 }, () => ask("anna", "slow"));
  const statuses: number[] = [];
  for (const one of flood) void one.then(({ status }) => statuses.push(status));
  while (statuses.length < 16 || ends.length < 4) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(statuses, Array(16).fill(429));
  assert.equal((await ask("ben", "x")).status, 200);
  assert.equal((await ask("ben", "x", "/v1/chat/completions/render")).status, 200);
  const refused = await ask("anna", "x", "/detokenize");
  assert.equal(refused.status, 429);
  assert.match(refused.headers.get("retry-after")!, /^[1-9]/);
  assert.deepEqual(await refused.json(), { detail: "This caller's share of the tokenizing is taken" });
  for (const end of ends) end();
  assert.equal((await Promise.all(flood)).filter(({ status }) => status === 200).length, 4);
  assert.equal((await ask("anna", "x")).status, 200);
});
