import assert from "node:assert/strict";
import { test } from "node:test";
import type { TokenLogprob } from "../../../workers/protocol.js";
import { assertRefused, type Refusal, read, tokenizer } from "../../fixtures/byte-answers.js";
import { finished } from "../../fixtures/finished.js";
import { readChunks } from "../../fixtures/openai-chunks.js";
import { serveStandIn } from "../../fixtures/stand-in.js";
import { type Finished, GenerationFailed, type Task } from "../../pool/pool.js";

const PATH = "/v1/completions";
const entry = (id: number, logprob = -0.5): TokenLogprob => ({ id, logprob, top: [[id, logprob]] });

/** Writes "é!", cut to max_tokens. The fixture's tokens are bytes. */
function write(task: Task, logprob = -0.5): Finished {
  const ids = tokenizer.encode("é!").slice(0, task.maxTokens);
  const { promptIds } = task;
  return finished({
    generated: tokenizer.decode(ids),
    fullText: tokenizer.decode([...promptIds, ...ids]),
    promptTokens: promptIds.length,
    completionTokens: ids.length,
    ...(task.logprobs !== null && { logprobs: ids.map((id) => entry(id, logprob)) }),
    ...(task.promptLogprobs && {
      promptLogprobs: promptIds.map((id, at) => (at === 0 ? null : entry(id, -at))),
    }),
  });
}

const bytes = { model: { tokenizer }, answer: write };

test("a bare prompt gets OpenAI's defaults", async (context) => {
  const { post, jobs } = await serveStandIn(context, bytes);
  const response = await post(PATH, { model: "stand-in", prompt: "ab" });
  const { id, created, seed, ...rest } = await read(response);
  assert.deepEqual(rest, {
    object: "text_completion",
    model: "stand-in",
    choices: [{ index: 0, text: "é!", logprobs: null, finish_reason: "length" }],
    usage: {
      prompt_tokens: 2,
      completion_tokens: 3,
      total_tokens: 5,
      prompt_tokens_details: { cached_tokens: 1 },
      completion_tokens_details: { accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
    },
  });
  assert.equal(id, `cmpl-${response.headers.get("x-request-id")}`);
  assert.ok(Math.abs(created - Date.now() / 1000) < 100);
  assert.ok(Number.isSafeInteger(seed));
  const { maxTokens, stop, sampling, logprobs, promptLogprobs } = jobs[0]!.task;
  assert.deepEqual([maxTokens, stop, logprobs, promptLogprobs], [16, [], null, false]);
  assert.deepEqual([sampling.temperature, sampling.topK, sampling.topP], [1, 0, 1]);
});

test("every form of prompts gives n texts per prompt, in order", async (context) => {
  const { post, jobs } = await serveStandIn(context, bytes);
  for (const [prompt, ids] of [
    ["ab", [[97, 98]]],
    [
      ["a", "b"],
      [[97], [98]],
    ],
    [[97, 98], [[97, 98]]],
    [
      [[97], [98, 99]],
      [[97], [98, 99]],
    ],
  ] as const) {
    jobs.length = 0;
    const { choices, usage } = await read(await post(PATH, { prompt, n: 2, seed: 5 }));
    assert.deepEqual(
      jobs.map(({ task }) => task.promptIds),
      ids.flatMap((one) => [one, one]),
    );
    assert.deepEqual(
      jobs.map(({ task }) => task.sampling.seed[0]),
      ids.flatMap(() => [5, 6]),
      "a prompt gets the same text, whatever other prompts the request has",
    );
    assert.equal(new Set(jobs.map(({ task }) => task.id)).size, jobs.length);
    assert.deepEqual(
      choices.map(({ index }: { index: number }) => index),
      jobs.map((_, index) => index),
    );
    assert.equal(usage.prompt_tokens, ids.flat().length, "each prompt counts once");
    assert.equal(usage.completion_tokens, 3 * jobs.length);
  }
});

test("with echo, the text begins with the prompt and the log-probabilities with the prompt's", async (context) => {
  const { post } = await serveStandIn(context, bytes);
  const { choices } = await read(await post(PATH, { prompt: "ab", echo: true, logprobs: 1 }));
  assert.equal(choices[0].text, "abé!");
  assert.deepEqual(choices[0].logprobs, {
    tokens: ["a", "b", "bytes:\\xc3", "bytes:\\xa9", "!"],
    token_logprobs: [null, -1, -0.5, -0.5, -0.5],
    top_logprobs: [null, { b: -1 }, { "bytes:\\xc3": -0.5 }, { "bytes:\\xa9": -0.5 }, { "!": -0.5 }],
    text_offset: [0, 1, 2, 2, 3],
  });
});

test("max_tokens 0 with echo scores only the prompt", async (context) => {
  const { post, jobs } = await serveStandIn(context, bytes);
  const { choices } = await read(await post(PATH, { prompt: "ab", echo: true, logprobs: 0, max_tokens: 0 }));
  assert.deepEqual(choices[0].logprobs.token_logprobs, [null, -1]);
  assert.equal(choices[0].text, "ab");
  assert.deepEqual([jobs[0]!.task.maxTokens, jobs[0]!.task.promptLogprobs], [0, true]);
});

test("best_of generates more texts and answers with the likeliest", async (context) => {
  const likelihoods = [-3, -1, -4, -2];
  let next = 0;
  const { post, jobs } = await serveStandIn(context, {
    ...bytes,
    answer: (task) => {
      const likelihood = likelihoods[next++]!;
      return { ...write(task, likelihood), generated: String(likelihood) };
    },
  });
  const { choices, usage } = await read(await post(PATH, { prompt: "a", n: 2, best_of: 4 }));
  assert.deepEqual(
    choices.map(({ index, text, logprobs }: Record<string, unknown>) => [index, text, logprobs]),
    [
      [0, "-1", null],
      [1, "-2", null],
    ],
  );
  assert.equal(jobs.length, 4);
  assert.equal(usage.completion_tokens, 12, "texts that weren't chosen count too");
});

test("a stream has every text, then its finish reason, then the usage", async (context) => {
  const { post, jobs, until, document } = await serveStandIn(context, { ...bytes, hold: true });
  const asked = post(PATH, {
    prompt: ["a", "b"],
    stream: true,
    stream_options: { include_usage: true },
    seed: 1,
  });
  await until(() => jobs.length === 2);
  jobs[1]!.say("é", 2);
  const response = await asked;
  jobs[1]!.finish();
  jobs[0]!.finish();
  const { chunks, done } = await readChunks(response, document, "Completion");
  assert.ok(done);
  const texts = ["", ""];
  const reasons: unknown[] = [null, null];
  for (const { choices, usage } of chunks.slice(0, -1)) {
    assert.equal(usage, null);
    const [{ index, text, finish_reason }] = choices;
    assert.equal(reasons[index], null, "no text follows its finish reason");
    texts[index] += text;
    reasons[index] = finish_reason;
  }
  assert.deepEqual(
    [texts, reasons],
    [
      ["é!", "é!"],
      ["length", "length"],
    ],
  );
  const { choices, usage } = chunks.at(-1);
  assert.deepEqual([choices, usage.prompt_tokens, usage.completion_tokens], [[], 2, 6]);
});

for (const logprobs of [null, 2]) {
  test(`a streamed echo equals the one of a whole answer, ${logprobs === null ? "without" : "with"} log-probabilities`, async (context) => {
    const { post, jobs, until, document } = await serveStandIn(context, { ...bytes, hold: true });
    const body = { prompt: "ab", echo: true, logprobs, seed: 1 };
    const whole = post(PATH, body);
    await until(() => jobs.length === 1);
    jobs[0]!.finish();
    const [expected] = (await read(await whole)).choices;
    const asked = post(PATH, { ...body, stream: true });
    await until(() => jobs.length === 2);
    const ids = tokenizer.encode("é");
    jobs[1]!.say(
      "é",
      2,
      ids.map((id) => entry(id)),
    );
    jobs[1]!.finish();
    const { chunks } = await readChunks(await asked, document, "Completion");
    const streamed = chunks.map(({ choices }) => choices[0]);
    assert.equal(streamed.map(({ text }) => text).join(""), expected.text);
    const tokens = streamed.flatMap((choice) => choice.logprobs?.tokens ?? []);
    assert.deepEqual(tokens, expected.logprobs?.tokens ?? []);
  });
}

test("streamed log-probabilities equal the whole answer's, even the last token's", async (context) => {
  const { post, jobs, until, document } = await serveStandIn(context, {
    ...bytes,
    hold: true,
    answer: (task) => {
      const outcome = write(task);
      return { ...outcome, completionTokens: 4, logprobs: [...outcome.logprobs!, entry(256)] };
    },
  });
  const asked = post(PATH, { prompt: "a", logprobs: 0, stream: true });
  await until(() => jobs.length === 1);
  const [first, second] = tokenizer.encode("é");
  jobs[0]!.say("", 1, [entry(first!)]);
  jobs[0]!.say("é", 1, [entry(second!)]);
  jobs[0]!.finish();
  const { chunks } = await readChunks(await asked, document, "Completion");
  const streamed = chunks.map(({ choices }) => choices[0]);
  assert.deepEqual(
    streamed.flatMap(({ logprobs }) => logprobs?.tokens ?? []),
    ["bytes:\\xc3", "bytes:\\xa9", "!", "[EOS]"],
  );
  assert.deepEqual(
    streamed.flatMap(({ logprobs }) => logprobs?.text_offset ?? []),
    [0, 0, 1, 2],
  );
});

test("a stream that fails midway ends with the error, without [DONE]", async (context) => {
  const { post, jobs, until, document } = await serveStandIn(context, { ...bytes, hold: true });
  const asked = post(PATH, { prompt: "a", stream: true });
  await until(() => jobs.length === 1);
  jobs[0]!.say("é", 2);
  const response = await asked;
  jobs[0]!.fail(new GenerationFailed("secret"));
  const { chunks, done } = await readChunks(response, document, "Completion");
  assert.ok(!done);
  const error = {
    message: "The generation failed",
    type: "server_error",
    param: null,
    code: "generation_failed",
  };
  assert.deepEqual(chunks.at(-1), { error });
});

test("a waiting stream sends its position in comments", async (context) => {
  const { post, jobs, until, document } = await serveStandIn(context, { ...bytes, hold: true, slots: 1 });
  const first = post(PATH, { prompt: "a" });
  await until(() => jobs.length === 1);
  const second = await post(PATH, { prompt: "b", stream: true });
  assert.equal(second.headers.get("x-queue-position"), "1");
  jobs[0]!.finish();
  await until(() => jobs.length === 2);
  jobs[1]!.finish();
  const { comments, done } = await readChunks(second, document, "Completion");
  assert.match(comments[0]!, /^queue \{"position":1,"expected_wait":[\d.]+\}$/);
  assert.ok(done);
  await (await first).text();
});

test("top_k -1 means off, as in vLLM", async (context) => {
  const { post, jobs } = await serveStandIn(context, bytes);
  await read(await post(PATH, { prompt: "a", top_k: -1 }));
  assert.equal(jobs[0]!.task.sampling.topK, 0);
});

test("null fields count as absent, and unknown ones are ignored", async (context) => {
  const { post, jobs } = await serveStandIn(context, bytes);
  const nulls = [
    "model",
    "max_tokens",
    "temperature",
    "top_p",
    "n",
    "stream",
    "logprobs",
    "echo",
    "stop",
  ].concat([
    "presence_penalty",
    "frequency_penalty",
    "best_of",
    "logit_bias",
    "user",
    "suffix",
    "seed",
    "stream_options",
  ]);
  const body = Object.fromEntries(nulls.map((name) => [name, null]));
  await read(await post(PATH, { prompt: "a", ...body, whatever: { x: 1 }, user: "somebody" }));
  assert.equal(jobs[0]!.task.maxTokens, 16);
});

test("without max_tokens the text gets the context's remaining room; with it, the room must suffice", async (context) => {
  const { post, jobs } = await serveStandIn(context, bytes);
  await read(await post(PATH, { prompt: "a".repeat(60) }));
  assert.equal(jobs[0]!.task.maxTokens, 4);
  const response = await post(PATH, { prompt: "a".repeat(60), max_tokens: 5 });
  assert.equal(response.status, 400);
  const { error } = (await response.json()) as { error: { message: string; code: string } };
  assert.equal(error.code, "context_length_exceeded");
  assert.match(
    error.message,
    /maximum context length is 64 tokens.*65 tokens \(60 in the prompt, 5 in the completion\)/,
  );
});

const refusals = [
  ["no prompt", {}, 400, "prompt", "missing_required_parameter", /Missing/],
  ["an empty prompt", { prompt: "" }, 400, "prompt", "invalid_value", /has tokens/],
  ["an empty list", { prompt: [] }, 400, "prompt", "array_below_min_length", /at least 1/],
  ["an empty list of tokens", { prompt: [[]] }, 400, "prompt", "invalid_value", /has tokens/],
  ["a mixed list", { prompt: ["a", 5] }, 400, "prompt[1]", "invalid_value", /got 5 beside "a"/],
  [
    "a list of booleans",
    { prompt: [true] },
    400,
    "prompt[0]",
    "invalid_value",
    /expected string or integer or array/,
  ],
  ["a fraction as a token", { prompt: [[1, 1.5]] }, 400, "prompt[0][1]", "invalid_type", /integer/],
  ["a token past the vocabulary", { prompt: [97, 9999] }, 400, "prompt", "invalid_value", /to \d+, got 9999/],
  ["a token below 0", { prompt: [-1] }, 400, "prompt", "invalid_value", /got -1/],
  ["129 prompts", { prompt: Array(129).fill("a") }, 400, "prompt", "invalid_value", /at most 128/],
  [
    "a prompt past the limit",
    { prompt: "a".repeat(40_000) },
    400,
    "prompt",
    "string_above_max_length",
    /32768/,
  ],
  [
    "a prompt past the context",
    { prompt: "a".repeat(64) },
    400,
    null,
    "context_length_exceeded",
    /64 tokens/,
  ],
  [
    "another model",
    { prompt: "a", model: "gpt-4" },
    404,
    "model",
    "model_not_found",
    /expected "stand-in", got "gpt-4"/,
  ],
  ["a suffix", { prompt: "a", suffix: "b" }, 400, "suffix", "unsupported_parameter", /only continue a text/],
  [
    "best_of below n",
    { prompt: "a", n: 3, best_of: 2 },
    400,
    "best_of",
    "invalid_value",
    /at least n, which is 3/,
  ],
  [
    "best_of in a stream",
    { prompt: "a", best_of: 2, stream: true },
    400,
    "best_of",
    "invalid_value",
    /stream/,
  ],
  ["max_tokens 0 alone", { prompt: "a", max_tokens: 0 }, 400, "max_tokens", "invalid_value", /at least 1/],
  ["max_tokens -1", { prompt: "a", max_tokens: -1 }, 400, "max_tokens", "invalid_value", /0/],
  [
    "max_tokens past the server's",
    { prompt: "a", max_tokens: 5000 },
    400,
    "max_tokens",
    "invalid_value",
    /4096/,
  ],
  ["max_tokens as a text", { prompt: "a", max_tokens: "5" }, 400, "max_tokens", "invalid_type", /integer/],
  ["n 0", { prompt: "a", n: 0 }, 400, "n", "invalid_value", /1/],
  ["logprobs 21", { prompt: "a", logprobs: 21 }, 400, "logprobs", "invalid_value", /20/],
  [
    "a bias on no token",
    { prompt: "a", logit_bias: { 9999: 1 } },
    400,
    "logit_bias.9999",
    "invalid_value",
    /below/,
  ],
  ["no JSON", '{"prompt": ', 400, null, "invalid_json", /Unexpected end/],
] as Refusal[];

test("unsupported and invalid fields are refused in OpenAI's form", (context) =>
  assertRefused(context, PATH, bytes, refusals));
