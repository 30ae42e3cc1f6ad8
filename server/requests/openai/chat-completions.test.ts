import assert from "node:assert/strict";
import { test } from "node:test";
import { compileChatTemplate } from "../../../models/chat-template.js";
import type { TokenLogprob } from "../../../workers/protocol.js";
import { assertRefused, type Refusal, read, tokenizer } from "../../fixtures/byte-answers.js";
import { finished } from "../../fixtures/finished.js";
import { readChunks } from "../../fixtures/openai-chunks.js";
import { serveStandIn } from "../../fixtures/stand-in.js";
import { type Finished, type Task, WorkerLost } from "../../pool/pool.js";

const PATH = "/v1/chat/completions";
// Shorter than the JAI template, to fit the stand-in's context.
const chatTemplate = compileChatTemplate(
  "{% for m in messages %}{{ m.role[0] + (m.name or '') + ':' + m.content + '|\n' }}{% endfor %}{% if add_generation_prompt %}a:{% endif %}",
);
const entry = (id: number): TokenLogprob => ({
  id,
  logprob: -0.5,
  top: [
    [id, -0.5],
    [33, -1],
  ],
});

/** Answers "é!" and the end-of-sequence token. */
function answer(task: Task): Finished {
  const ids = [...tokenizer.encode("é!"), 256];
  return finished({
    reason: "stop",
    generated: "é!",
    promptTokens: task.promptIds.length,
    completionTokens: ids.length,
    ...(task.logprobs !== null && { logprobs: ids.map(entry) }),
  });
}

const bytes = { model: { tokenizer, chatTemplate }, answer };
const messages = [{ role: "user", content: "hi" }];

test("a bare question gets OpenAI's defaults, and an answer up to the end of the context", async (context) => {
  const { post, jobs } = await serveStandIn(context, bytes);
  const response = await post(PATH, { model: "stand-in", messages });
  const { id, created, seed, ...rest } = await read(response);
  assert.deepEqual(rest, {
    object: "chat.completion",
    model: "stand-in",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: "é!", refusal: null },
        logprobs: null,
        finish_reason: "stop",
      },
    ],
    usage: {
      prompt_tokens: 8,
      completion_tokens: 4,
      total_tokens: 12,
      prompt_tokens_details: { cached_tokens: 1 },
      completion_tokens_details: { accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
    },
  });
  assert.equal(id, `chatcmpl-${response.headers.get("x-request-id")}`);
  assert.ok(Number.isSafeInteger(created) && Number.isSafeInteger(seed));
  const { promptIds, maxTokens, stop, sampling, logprobs } = jobs[0]!.task;
  assert.equal(tokenizer.decode(promptIds), "u:hi|\na:");
  assert.deepEqual([maxTokens, stop, logprobs], [56, ["|"], null]);
  assert.deepEqual([sampling.temperature, sampling.topK], [1, 0]);
});

test("the server's limit bounds the answer too", async (context) => {
  const { post, jobs } = await serveStandIn(context, { ...bytes, maxTokens: 7 });
  await read(await post(PATH, { messages }));
  assert.equal(jobs[0]!.task.maxTokens, 7);
});

test("the template's terminator always ends the answer, beside the client's stop texts", async (context) => {
  const { post, jobs } = await serveStandIn(context, bytes);
  for (const [stop, expected] of [
    [null, ["|"]],
    ["x", ["x", "|"]],
    [
      ["x", "|"],
      ["x", "|"],
    ],
    [[], ["|"]],
  ] as const) {
    await read(await post(PATH, { messages, stop }));
    assert.deepEqual(jobs.at(-1)!.task.stop, expected);
  }
});

test("a conversation is rendered by the template", async (context) => {
  const { post, jobs } = await serveStandIn(context, bytes);
  await read(
    await post(PATH, {
      messages: [
        { role: "developer", content: "d" },
        {
          role: "user",
          content: [
            { type: "text", text: "x" },
            { type: "text", text: "y" },
          ],
          name: "Kim",
        },
        { role: "assistant", content: null, tool_calls: [] },
        { role: "user", content: "\ud800", name: null },
      ],
    }),
  );
  assert.equal(tokenizer.decode(jobs[0]!.task.promptIds), "s:d|\nuKim:x\ny|\na:|\nu:\ufffd|\na:");
});

test("max_completion_tokens wins over its older name", async (context) => {
  const { post, jobs } = await serveStandIn(context, bytes);
  await read(await post(PATH, { messages, max_tokens: 3 }));
  await read(await post(PATH, { messages, max_tokens: 3, max_completion_tokens: 5 }));
  assert.deepEqual(
    jobs.map(({ task }) => task.maxTokens),
    [3, 5],
  );
});

test("log-probabilities cover exactly the text's tokens, with their bytes", async (context) => {
  const { post, jobs } = await serveStandIn(context, bytes);
  const { choices } = await read(await post(PATH, { messages, logprobs: true, top_logprobs: 2 }));
  const { content } = choices[0].logprobs;
  assert.deepEqual(
    content.map(({ token, bytes }: { token: string; bytes: number[] }) => [token, bytes]),
    [
      ["\\xc3", [0xc3]],
      ["\\xa9", [0xa9]],
      ["!", [33]],
    ],
  );
  assert.deepEqual(content[0].top_logprobs[1], { token: "!", logprob: -1, bytes: [33] });
  assert.equal(jobs[0]!.task.logprobs, 2);
});

test("a stream begins each choice with its role, and ends it with its finish reason", async (context) => {
  const { post, jobs, until, document } = await serveStandIn(context, { ...bytes, hold: true });
  const asked = post(PATH, {
    messages,
    n: 2,
    stream: true,
    stream_options: { include_usage: true },
    logprobs: true,
  });
  await until(() => jobs.length === 2);
  const ids = tokenizer.encode("é");
  jobs[1]!.say("", 1, [entry(ids[0]!)]);
  jobs[1]!.say("é", 1, [entry(ids[1]!)]);
  const response = await asked;
  jobs[1]!.finish();
  jobs[0]!.finish();
  const { chunks, done } = await readChunks(response, document, "ChatCompletion");
  assert.ok(done);
  for (const index of [0, 1]) {
    const own = chunks.flatMap(({ choices }) => choices).filter((choice) => choice.index === index);
    assert.deepEqual(own[0].delta, { role: "assistant", content: "", refusal: null });
    assert.equal(own.map(({ delta }) => delta.content ?? "").join(""), "é!");
    assert.deepEqual(
      own.flatMap(({ logprobs }) => logprobs?.content ?? []).map(({ token }) => token),
      ["\\xc3", "\\xa9", "!"],
    );
    assert.deepEqual(own.at(-1), { index, delta: {}, logprobs: null, finish_reason: "stop" });
    assert.ok(own.slice(0, -1).every(({ finish_reason }) => finish_reason === null));
  }
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.equal(chunks.at(-1).usage.completion_tokens, 8);
  assert.equal(new Set(chunks.map(({ id, created }) => `${id} ${created}`)).size, 1);
});

test("a stream without stream_options has no usage", async (context) => {
  const { post, document } = await serveStandIn(context, bytes);
  const { chunks } = await readChunks(
    await post(PATH, { messages, stream: true }),
    document,
    "ChatCompletion",
  );
  assert.ok(chunks.every((chunk) => !("usage" in chunk) && chunk.choices.length === 1));
});

test("a stream whose worker is lost ends with the error", async (context) => {
  const { post, jobs, until, document } = await serveStandIn(context, { ...bytes, hold: true });
  const asked = post(PATH, { messages, stream: true });
  await until(() => jobs.length === 1);
  const response = await asked;
  jobs[0]!.fail(new WorkerLost("secret"));
  const { chunks, done } = await readChunks(response, document, "ChatCompletion");
  assert.deepEqual([done, chunks.at(-1).error.code], [false, "worker_lost"]);
});

test("fields that don't change the text are ignored, and unsupported ones with empty values are accepted", async (context) => {
  const { post } = await serveStandIn(context, bytes);
  await read(
    await post(PATH, {
      messages,
      user: "somebody",
      metadata: { a: "b" },
      store: true,
      service_tier: "auto",
      parallel_tool_calls: true,
      reasoning_effort: "low",
      tools: [],
      tool_choice: "auto",
      functions: null,
      function_call: "none",
      modalities: ["text"],
      audio: null,
      top_logprobs: 0,
      response_format: { type: "text" },
      stream_options: { include_usage: true },
    }),
  );
  await read(await post(PATH, { messages, tools: [{ type: "function" }], tool_choice: "none" }));
});

test("a full queue and a loading model answer with Retry-After, which OpenAI's clients obey", async (context) => {
  const { post, jobs, until } = await serveStandIn(context, { ...bytes, hold: true, slots: 1, limit: 0 });
  const first = post(PATH, { messages });
  await until(() => jobs.length === 1);
  const response = await post(PATH, { messages });
  assert.equal(response.status, 503);
  assert.ok(Number(response.headers.get("retry-after")) >= 1);
  const { error } = (await response.json()) as { error: object };
  assert.deepEqual(error, {
    message: "The queue is full",
    type: "server_error",
    param: null,
    code: "queue_full",
  });
  jobs[0]!.finish();
  await (await first).text();
});

const tool = { type: "function", function: { name: "f" } };
const refusals = [
  ["no messages", {}, 400, "messages", "missing_required_parameter", /Missing/],
  ["an empty conversation", { messages: [] }, 400, "messages", "array_below_min_length", /at least 1/],
  ["a text as messages", { messages: "hi" }, 400, "messages", "invalid_value", /array/],
  ["texts as messages", { messages: ["hi"] }, 400, "messages[0]", "invalid_type", /object/],
  [
    "no role",
    { messages: [{ content: "x" }] },
    400,
    "messages[0].role",
    "missing_required_parameter",
    /Missing/,
  ],
  [
    "an unknown role",
    { messages: [{ role: "x", content: "x" }] },
    400,
    "messages[0].role",
    "invalid_value",
    /allowed/,
  ],
  ["no content", { messages: [{ role: "user" }] }, 400, "messages[0].content", "invalid_value", /got none/],
  [
    "an image",
    { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] }] },
    400,
    "messages[0].content[0].type",
    "unsupported_parameter",
    /expected "text".*got "image_url"/,
  ],
  [
    "a text part without text",
    { messages: [{ role: "user", content: [{ type: "text" }] }] },
    400,
    "messages[0].content[0].text",
    "invalid_value",
    /got nothing/,
  ],
  [
    "a tool's answer",
    { messages: [{ role: "tool", content: "x", tool_call_id: "1" }] },
    400,
    "messages[0].role",
    "unsupported_parameter",
    /no tools/,
  ],
  [
    "a call of a tool",
    { messages: [{ role: "assistant", tool_calls: [tool] }] },
    400,
    "messages[0].tool_calls",
    "unsupported_parameter",
    /no tools/,
  ],
  ["tools", { messages, tools: [tool] }, 400, "tools", "unsupported_parameter", /no tools/],
  [
    "a tool choice",
    { messages, tool_choice: "required" },
    400,
    "tool_choice",
    "unsupported_parameter",
    /no tools/,
  ],
  ["functions", { messages, functions: [{}] }, 400, "functions", "unsupported_parameter", /no tools/],
  [
    "speech",
    { messages, modalities: ["text", "audio"] },
    400,
    "modalities",
    "unsupported_parameter",
    /only text/,
  ],
  ["a voice", { messages, audio: { voice: "x" } }, 400, "audio", "unsupported_parameter", /only text/],
  [
    "top_logprobs alone",
    { messages, top_logprobs: 2 },
    400,
    "top_logprobs",
    "invalid_value",
    /logprobs to be true/,
  ],
  ["another model", { messages, model: "gpt-4" }, 404, "model", "model_not_found", /"gpt-4"/],
  [
    "more than the context",
    { messages, max_tokens: 60 },
    400,
    null,
    "context_length_exceeded",
    /68 tokens \(8 in the messages, 60 in the completion\)/,
  ],
  [
    "more than the server takes",
    { messages, max_completion_tokens: 5000 },
    400,
    "max_completion_tokens",
    "invalid_value",
    /4096/,
  ],
  [
    "messages past the limit",
    { messages: [{ role: "user", content: "x".repeat(40_000) }] },
    400,
    "messages",
    "string_above_max_length",
    /32768/,
  ],
] as Refusal[];

test("unsupported and invalid fields are refused in OpenAI's form", (context) =>
  assertRefused(context, PATH, bytes, refusals));

test("messages that the template refuses are refused with the template's message", async (context) => {
  const { post } = await serveStandIn(context);
  const response = await post(PATH, { messages: [{ role: "system", content: "x" }, ...messages] });
  assert.equal(response.status, 400);
  const { error } = (await response.json()) as { error: { message: string; param: string } };
  assert.equal(error.param, "messages");
  assert.match(
    error.message,
    /chat template refuses these messages: expected the roles user and assistant, got system/,
  );
});
