// The Vercel AI SDK, `ai` with `@ai-sdk/openai-compatible`, against a started server.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { idle, load, occupy, serve, watchedFetch } from "./installed.mjs";

const { modules, skip } = await load("ai", "@ai-sdk/openai-compatible", "zod");
const [ai, compatible, zod] = modules;

const prompt = "판교에서 백엔드 개발자 채용하는 곳 알려줘";

const modelAt = (baseURL, fetch) =>
  compatible.createOpenAICompatible({
    name: "jai",
    baseURL,
    includeUsage: true,
    supportsStructuredOutputs: true,
    ...(fetch && { fetch }),
  });

describe("the AI SDK", { skip }, () => {
  let server;
  let provider;
  let model;
  const cleanUp = [];
  before(async () => {
    const started = await serve({ after: (callback) => cleanUp.push(callback) });
    server = started.server;
    provider = modelAt(started.baseURL);
    model = provider("jai-small");
  });
  after(() => Promise.all(cleanUp.map((callback) => callback())));

  it("generates a text, with usage and finish reason", async () => {
    const { text, usage, finishReason, response } = await ai.generateText({ model, prompt, seed: 7 });
    assert.ok(text.length > 10);
    assert.equal(finishReason, "stop");
    assert.ok(usage.inputTokens > 5 && usage.outputTokens > 5);
    assert.match(response.id, /^chatcmpl-/);
  });

  it("streams the same text that it generates", async () => {
    const settings = { model, prompt, seed: 8, temperature: 0.9 };
    const whole = await ai.generateText(settings);
    const stream = ai.streamText(settings);
    const parts = [];
    for await (const part of stream.textStream) parts.push(part);
    assert.equal(parts.join(""), whole.text);
    assert.ok(parts.length > 1);
    assert.equal(await stream.finishReason, whole.finishReason);
    assert.deepEqual((await stream.usage).outputTokens, whole.usage.outputTokens);
  });

  it("holds a conversation of several turns", async () => {
    const { text } = await ai.generateText({
      model,
      messages: [
        { role: "user", content: "서울에서 React 개발자 채용 있어?" },
        { role: "assistant", content: "네, 있습니다." },
        { role: "user", content: [{ type: "text", text: "연봉은?" }] },
      ],
      maxOutputTokens: 20,
      temperature: 0,
    });
    assert.ok(text.length > 0);
  });

  it("stops at a stop text, and at a length", async () => {
    const ask = (fields) => ai.generateText({ model, prompt, temperature: 0, ...fields });
    const { text } = await ask({});
    const stop = text.slice(8, 11);
    const stopped = await ask({ stopSequences: [stop] });
    assert.equal(stopped.text.trim(), text.slice(0, text.indexOf(stop)).trim());
    assert.equal(stopped.finishReason, "stop");
    const cut = await ask({ maxOutputTokens: 3 });
    assert.equal(cut.finishReason, "length");
    assert.equal(cut.usage.outputTokens, 3);
  });

  it("completes a text", async () => {
    const { text, usage } = await ai.generateText({
      model: provider.completionModel("jai-small"),
      prompt,
      maxOutputTokens: 10,
      temperature: 0,
    });
    // A bare text is no conversation: the model may end it at once.
    assert.ok(text.length > 0 || usage.outputTokens === 1, `${text} ${usage.outputTokens}`);
  });

  it("gets log-probabilities and several choices with provider options", async () => {
    const { response } = await ai.generateText({
      model,
      prompt,
      seed: 5,
      maxOutputTokens: 10,
      providerOptions: { jai: { logprobs: true, top_logprobs: 2, n: 2 } },
    });
    const { choices } = response.body;
    assert.equal(choices.length, 2);
    for (const { message, logprobs } of choices) {
      assert.equal(logprobs.content.map(({ token }) => token).join(""), message.content);
      assert.equal(logprobs.content[0].top_logprobs.length, 2);
    }
  });

  it("frees the slot when a stream is aborted midway", async () => {
    const controller = new AbortController();
    const stream = ai.streamText({
      model,
      prompt,
      abortSignal: controller.signal,
      providerOptions: { jai: { ignore_eos: true, stop: [] } },
      onError: () => {},
    });
    for await (const part of stream.fullStream) {
      if (part.type === "text-delta") controller.abort();
      if (part.type === "abort") break;
    }
    await idle(server);
  });

  for (const [what, ask, status, retryable, message] of [
    [
      "a role that the template refuses",
      () => ({
        model,
        messages: [
          { role: "user", content: prompt },
          { role: "system", content: "x" },
        ],
        allowSystemInMessages: true,
      }),
      400,
      false,
      /expected a system message at the start/,
    ],
    [
      "more than the context",
      () => ({ model, prompt, maxOutputTokens: 506 }),
      400,
      false,
      /maximum context length/,
    ],
    ["another model", () => ({ model: provider("gpt-4"), prompt }), 404, false, /"gpt-4"/],
    [
      "a deadline that passes",
      () => ({ model, prompt, providerOptions: { jai: { timeout: { total: 0.001 } } } }),
      504,
      true,
      /deadline/,
    ],
  ])
    it(`throws its own error for ${what}`, async () => {
      await assert.rejects(ai.generateText({ ...ask(), maxRetries: 0 }), (error) => {
        assert.ok(ai.APICallError.isInstance(error), `${error}`);
        assert.deepEqual([error.statusCode, error.isRetryable], [status, retryable]);
        assert.match(error.message, message);
        assert.ok(error.data.error.code);
        return true;
      });
    });

  it("reports a stream that fails midway", async () => {
    const errors = [];
    const stream = ai.streamText({
      model,
      prompt,
      maxRetries: 0,
      providerOptions: { jai: { ignore_eos: true, timeout: { total: 0.02 } } },
      onError: ({ error }) => errors.push(error),
    });
    for await (const _ of stream.fullStream);
    assert.equal(errors.length, 1);
    assert.match(JSON.stringify(errors[0]?.message ?? errors[0]), /deadline/);
  });

  it("generates an object of a zod schema", async () => {
    const schema = zod.z.object({ city: zod.z.enum(["서울", "판교"]), remote: zod.z.boolean() });
    const { output } = await ai.generateText({
      model,
      prompt,
      seed: 1,
      output: ai.Output.object({ schema }),
    });
    assert.ok(schema.safeParse(output).success);
  });

  it("streams an object of a zod schema", async () => {
    const schema = zod.z.object({ city: zod.z.enum(["서울", "판교"]), remote: zod.z.boolean() });
    const stream = ai.streamText({
      model,
      prompt,
      seed: 1,
      output: ai.Output.object({ schema }),
      onError: () => {},
    });
    assert.ok(schema.safeParse(await stream.output).success);
  });
});

describe("the AI SDK with a server that is full", { skip }, () => {
  it("retries after the time in Retry-After", async (context) => {
    const { server, baseURL } = await serve(context, { JAI_CONCURRENCY: "1", JAI_QUEUE_LIMIT: "0" });
    const letGo = await occupy(server);
    const { statuses, fetch } = watchedFetch((status) => (status === 503 ? letGo() : undefined));
    const model = modelAt(baseURL, fetch)("jai-small");
    const began = performance.now();
    const { text } = await ai.generateText({ model, prompt, maxOutputTokens: 5, maxRetries: 1 });
    assert.deepEqual(statuses, [503, 200]);
    assert.ok(performance.now() - began >= 1000, "it waited for Retry-After");
    assert.ok(text.length > 0);
  });
});
