// The `openai` package against a started server.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { idle, load, occupy, serve, watchedFetch } from "./installed.mjs";

const { modules, skip } = await load("openai", "openai/helpers/zod", "zod");
const [openai, helpers, zod] = modules;
const OpenAI = openai?.default;

const model = "jai-small";
const messages = [{ role: "user", content: "판교에서 백엔드 개발자 채용하는 곳 알려줘" }];
const prompt = "<|user|>연봉은?<|end|><|assistant|>";

describe("the openai client", { skip }, () => {
  let server;
  let client;
  const cleanUp = [];
  before(async () => {
    const started = await serve({ after: (callback) => cleanUp.push(callback) });
    server = started.server;
    client = new OpenAI({ baseURL: started.baseURL, apiKey: "none", maxRetries: 0 });
  });
  after(() => Promise.all(cleanUp.map((callback) => callback())));

  it("lists the model and retrieves it", async () => {
    const ids = [];
    for await (const { id } of client.models.list()) ids.push(id);
    assert.deepEqual(ids, [model]);
    assert.equal((await client.models.retrieve(model)).max_model_len, 512);
    await assert.rejects(client.models.retrieve("gpt-4"), OpenAI.NotFoundError);
  });

  it("chats, and the same seed gives the same text", async () => {
    const ask = () => client.chat.completions.create({ model, messages, seed: 7, user: "somebody" });
    const first = await ask();
    assert.ok(first.choices[0].message.content.length > 10);
    assert.equal(first.choices[0].finish_reason, "stop");
    assert.equal(first.usage.total_tokens, first.usage.prompt_tokens + first.usage.completion_tokens);
    assert.equal((await ask()).choices[0].message.content, first.choices[0].message.content);
    assert.equal(first._request_id, first.id.replace("chatcmpl-", ""));
  });

  it("streams the same text, with the usage at the end", async () => {
    const body = { model, messages, seed: 8, max_completion_tokens: 60 };
    const whole = await client.chat.completions.create(body);
    const stream = await client.chat.completions.create({
      ...body,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let usage = null;
    let reason = null;
    const deltas = [];
    for await (const chunk of stream) {
      deltas.push(chunk.choices[0]?.delta.content ?? "");
      text += deltas.at(-1);
      reason = chunk.choices[0]?.finish_reason ?? reason;
      usage = chunk.usage ?? usage;
    }
    assert.equal(text, whole.choices[0].message.content);
    assert.equal(reason, whole.choices[0].finish_reason);
    assert.equal(usage.completion_tokens, whole.usage.completion_tokens);
    assert.ok(deltas.filter((delta) => delta !== "").length > 1);
  });

  it("reads a stream with the SDK's own runner", async () => {
    const runner = client.chat.completions.stream({ model, messages, n: 2, seed: 3, logprobs: true });
    const { choices } = await runner.finalChatCompletion();
    assert.equal(choices.length, 2);
    // By their bytes: a token may be a part of a character.
    for (const { message, logprobs } of choices)
      assert.equal(
        Buffer.from(logprobs.content.flatMap(({ bytes }) => bytes))
          .toString()
          .trim(),
        message.content.trim(),
      );
  });

  it("gets n texts, each with its own seed", async () => {
    const ask = (fields) => client.chat.completions.create({ model, messages, max_tokens: 40, ...fields });
    const { choices } = await ask({ n: 3, seed: 20, temperature: 1.2 });
    const texts = choices.map(({ message }) => message.content);
    assert.equal(new Set(texts).size, 3);
    for (const [index, text] of texts.entries()) {
      const alone = await ask({ seed: 20 + index, temperature: 1.2 });
      assert.equal(alone.choices[0].message.content, text);
    }
  });

  it("gets log-probabilities whose bytes are the text", async () => {
    const { choices } = await client.chat.completions.create({
      model,
      messages,
      temperature: 0,
      max_tokens: 30,
      logprobs: true,
      top_logprobs: 3,
    });
    const { content } = choices[0].logprobs;
    const bytes = content.flatMap((token) => token.bytes);
    assert.equal(Buffer.from(bytes).toString(), choices[0].message.content);
    for (const { token, logprob, top_logprobs } of content) {
      assert.equal(top_logprobs.length, 3);
      assert.equal(top_logprobs[0].token, token, "greedy picks the likeliest");
      assert.equal(top_logprobs[0].logprob, logprob);
      assert.ok(logprob <= 0);
    }
  });

  it("stops at a stop text, which is left out", async () => {
    const ask = (fields) => client.chat.completions.create({ model, messages, temperature: 0, ...fields });
    const whole = (await ask({})).choices[0].message.content;
    const stop = whole.slice(8, 11);
    const { choices } = await ask({ stop: ["never said", stop] });
    assert.equal(choices[0].message.content, whole.slice(0, whole.indexOf(stop)));
    assert.equal(choices[0].finish_reason, "stop");
  });

  it("applies logit_bias", async () => {
    const { tokens } = JSON.parse((await server.request("POST", "/tokenize", { prompt: "서울" })).text);
    const { choices } = await client.chat.completions.create({
      model,
      messages,
      max_tokens: 3,
      temperature: 0,
      logit_bias: { [tokens[0]]: 100 },
    });
    assert.match(choices[0].message.content, /^서울 ?서울 ?서울$/);
  });

  it("completes texts: a string, several, and tokens", async () => {
    const ask = (fields) =>
      client.completions.create({ model, prompt, max_tokens: 12, temperature: 0, ...fields });
    const [{ text }] = (await ask({})).choices;
    assert.ok(text.length > 0);
    const several = await ask({ prompt: [prompt, "서울에서 React"], n: 2 });
    assert.deepEqual(
      several.choices.map(({ index }) => index),
      [0, 1, 2, 3],
    );
    assert.equal(several.choices[0].text, text);
    const { tokens } = JSON.parse((await server.request("POST", "/tokenize", { prompt })).text);
    assert.equal((await ask({ prompt: tokens })).choices[0].text, text);
    assert.equal((await ask({ prompt: [tokens] })).choices[0].text, text);
    let streamed = "";
    for await (const chunk of await ask({ stream: true })) streamed += chunk.choices[0].text;
    assert.equal(streamed, text);
  });

  it("scores a text as lm-eval-harness does: echo, log-probabilities, one more token", async () => {
    const text = "서울에서 React 개발자를 채용합니다.";
    const ask = (fields) =>
      client.completions.create({ model, prompt: text, echo: true, logprobs: 1, temperature: 0, ...fields });
    const [scored] = (await ask({ max_tokens: 0 })).choices;
    assert.equal(scored.text, text);
    assert.equal(scored.logprobs.token_logprobs[0], null);
    assert.ok(scored.logprobs.token_logprobs.slice(1).every((logprob) => logprob < 0));
    const [more] = (await ask({ max_tokens: 1 })).choices;
    assert.deepEqual(more.logprobs.token_logprobs.slice(0, -1), scored.logprobs.token_logprobs);
    assert.deepEqual(
      scored.logprobs.tokens.map((token, at) => text.startsWith(token, scored.logprobs.text_offset[at])),
      scored.logprobs.tokens.map(() => true),
    );
  });

  it("picks the best of several texts by their mean log-probability", async () => {
    const ask = (fields) =>
      client.completions.create({ model, prompt, max_tokens: 8, seed: 4, logprobs: 0, ...fields });
    const mean = ({ logprobs: { token_logprobs: all } }) =>
      all.reduce((sum, one) => sum + one, 0) / all.length;
    const all = (await ask({ n: 4 })).choices;
    const [best] = (await ask({ best_of: 4 })).choices;
    assert.equal(mean(best), Math.max(...all.map(mean)));
  });

  it("frees the slot when a stream is left midway", async () => {
    const stream = await client.chat.completions.create({ model, messages, stream: true, ignore_eos: true });
    for await (const chunk of stream) if (chunk.choices[0].delta.content) break;
    await idle(server);
    const controller = new AbortController();
    const asked = client.completions.create(
      { model, prompt, max_tokens: 200, n: 8, ignore_eos: true },
      { signal: controller.signal },
    );
    controller.abort();
    await assert.rejects(asked, OpenAI.APIUserAbortError);
    await idle(server);
  });

  for (const [what, ask, kind, fields] of [
    [
      "a wrong field",
      () => client.chat.completions.create({ model, messages, temperature: -1 }),
      "BadRequestError",
      { status: 400, param: "temperature", code: "invalid_value", type: "invalid_request_error" },
    ],
    [
      "tools",
      () =>
        client.chat.completions.create({
          model,
          messages,
          tools: [{ type: "function", function: { name: "f" } }],
        }),
      "BadRequestError",
      { status: 400, param: "tools", code: "unsupported_parameter" },
    ],
    [
      "a role that the template refuses",
      () =>
        client.chat.completions.create({ model, messages: [...messages, { role: "system", content: "x" }] }),
      "BadRequestError",
      { status: 400, param: "messages" },
    ],
    [
      "more than the context",
      () => client.chat.completions.create({ model, messages, max_completion_tokens: 506 }),
      "BadRequestError",
      { status: 400, code: "context_length_exceeded" },
    ],
    [
      "another model",
      () => client.chat.completions.create({ model: "gpt-4", messages }),
      "NotFoundError",
      { status: 404, code: "model_not_found", param: "model" },
    ],
    [
      "an unknown path",
      () => client.embeddings.create({ model, input: "x" }),
      "NotFoundError",
      { status: 404, code: "unknown_url" },
    ],
    [
      "a deadline that passes",
      () => client.chat.completions.create({ model, messages, timeout: { total: 0.001 } }),
      "InternalServerError",
      { status: 504, code: "deadline_exceeded", type: "server_error" },
    ],
  ])
    it(`throws its own error for ${what}`, async () => {
      await assert.rejects(ask, (error) => {
        assert.ok(error instanceof OpenAI[kind], `${error?.constructor.name}: ${error}`);
        for (const [name, value] of Object.entries(fields)) assert.equal(error[name], value, name);
        assert.ok(error.requestID);
        return true;
      });
    });

  it("throws its own error for a stream that fails midway", async () => {
    const stream = await client.completions.create({
      model,
      prompt,
      max_tokens: 200,
      ignore_eos: true,
      stream: true,
      timeout: { total: 0.02 },
    });
    const read = async () => {
      for await (const _ of stream);
    };
    await assert.rejects(read, (error) => {
      assert.ok(error instanceof OpenAI.APIError);
      assert.equal(error.code, "deadline_exceeded");
      return true;
    });
    await idle(server);
  });

  it("parses an answer with its zod helper", async () => {
    const Posting = zod.z.object({ city: zod.z.enum(["서울", "판교"]), remote: zod.z.boolean() });
    const { choices } = await client.chat.completions.parse({
      model,
      messages,
      seed: 1,
      response_format: helpers.zodResponseFormat(Posting, "posting"),
    });
    assert.ok(Posting.safeParse(choices[0].message.parsed).success);
  });

  it("constrains a text to a regular expression, and refuses an invalid one", async () => {
    const ask = (regex) =>
      client.chat.completions.create({ model, messages, seed: 2, max_tokens: 20, regex });
    const { choices } = await ask("(서울|판교)[0-9]{3}");
    assert.match(choices[0].message.content, /^(서울|판교)[0-9]{3}$/);
    await assert.rejects(ask("(서울"), (error) => {
      assert.ok(error instanceof OpenAI.BadRequestError, `${error}`);
      return true;
    });
  });

  it("gets valid JSON with json_object", async () => {
    const { choices } = await client.chat.completions.create({
      model,
      messages,
      seed: 1,
      n: 8,
      response_format: { type: "json_object" },
    });
    // An object may grow until max_tokens: only the texts that ended by themselves are whole.
    const ended = choices.filter(({ finish_reason }) => finish_reason === "stop");
    assert.ok(ended.length > 0);
    for (const { message } of ended) assert.equal(typeof JSON.parse(message.content), "object");
  });
});

describe("the openai client of a server that is full", { skip }, () => {
  it("gets a 503, and retries after the time in Retry-After", async (context) => {
    const { server, baseURL } = await serve(context, { JAI_CONCURRENCY: "1", JAI_QUEUE_LIMIT: "0" });
    let letGo = await occupy(server);
    const impatient = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
    const body = { model, messages, max_tokens: 5 };
    await assert.rejects(impatient.chat.completions.create(body), (error) => {
      assert.ok(error instanceof OpenAI.InternalServerError);
      assert.deepEqual([error.status, error.code], [503, "queue_full"]);
      assert.ok(Number(error.headers.get("retry-after")) >= 1);
      return true;
    });
    const { statuses, fetch } = watchedFetch(async (status) => {
      if (status === 503) await letGo();
      letGo = async () => {};
    });
    const patient = new OpenAI({ baseURL, apiKey: "none", maxRetries: 2, fetch });
    const began = performance.now();
    const { choices } = await patient.chat.completions.create(body);
    assert.deepEqual(statuses, [503, 200]);
    assert.ok(performance.now() - began >= 1000, "it waited for Retry-After");
    assert.equal(choices.length, 1);
  });

  it("gets a rate limit error when its own share of the queue is full", async (context) => {
    const settings = { JAI_CONCURRENCY: "1", JAI_QUEUE_LIMIT: "8", JAI_QUEUE_LIMIT_CALLER: "0" };
    const { server, baseURL } = await serve(context, settings);
    const letGo = await occupy(server);
    const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
    await assert.rejects(client.chat.completions.create({ model, messages }), (error) => {
      assert.ok(error instanceof OpenAI.RateLimitError, `${error}`);
      assert.equal(error.code, "rate_limit_exceeded");
      assert.ok(Number(error.headers.get("retry-after")) >= 1);
      return true;
    });
    await letGo();
  });
});
