// LangChain, `@langchain/openai`, against a started server.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { idle, load, occupy, serve, watchedFetch } from "./installed.mjs";

const { modules, skip } = await load("@langchain/openai", "@langchain/core/messages", "zod");
const [langchain, core, zod] = modules;

const question = "판교에서 백엔드 개발자 채용하는 곳 알려줘";

/** A token may be part of a character: only the tokens' bytes joined are the text. */
const textOf = ({ content }) => Buffer.from(content.flatMap(({ bytes }) => bytes)).toString();

describe("LangChain", { skip }, () => {
  let server;
  let baseURL;
  const cleanUp = [];
  before(async () => {
    ({ server, baseURL } = await serve({ after: (callback) => cleanUp.push(callback) }));
  });
  after(() => Promise.all(cleanUp.map((callback) => callback())));

  const chat = (fields = {}) =>
    new langchain.ChatOpenAI({
      model: "jai-small",
      apiKey: "none",
      maxRetries: 0,
      configuration: { baseURL },
      ...fields,
    });

  it("invokes the model, with the usage", async () => {
    const { content, usage_metadata, response_metadata } = await chat({ modelKwargs: { seed: 7 } }).invoke(
      question,
    );
    assert.ok(content.length > 10);
    assert.ok(usage_metadata.output_tokens > 5);
    assert.equal(response_metadata.finish_reason, "stop");
  });

  it("streams the same text that it invokes, with the usage", async () => {
    const model = chat({ modelKwargs: { seed: 8 }, maxTokens: 60 });
    const whole = await model.invoke(question);
    let gathered = null;
    let chunks = 0;
    for await (const chunk of await model.stream(question)) {
      gathered = gathered === null ? chunk : gathered.concat(chunk);
      chunks++;
    }
    assert.equal(gathered.content, whole.content);
    assert.ok(chunks > 2);
    assert.equal(gathered.usage_metadata.output_tokens, whole.usage_metadata.output_tokens);
  });

  it("holds a conversation, and runs a batch", async () => {
    const model = chat({ maxTokens: 20, temperature: 0 });
    const { content } = await model.invoke([
      new core.HumanMessage("서울에서 React 개발자 채용 있어?"),
      new core.AIMessage("네, 있습니다."),
      new core.HumanMessage("연봉은?"),
    ]);
    assert.ok(content.length > 0);
    const batch = await model.batch([question, "연봉은?", question]);
    assert.equal(batch[0].content, batch[2].content);
    assert.notEqual(batch[0].content, batch[1].content);
  });

  it("gets n texts and their log-probabilities", async () => {
    const fields = { maxTokens: 20, logprobs: true, topLogprobs: 2, modelKwargs: { seed: 9 } };
    const { generations } = await chat({ ...fields, n: 3, temperature: 1.2 }).generate([
      [new core.HumanMessage(question)],
    ]);
    assert.equal(generations[0].length, 3);
    for (const { text, message } of generations[0]) {
      const { logprobs } = message.response_metadata;
      // LangChain passes on only the last choice's log-probabilities.
      if (logprobs) assert.equal(textOf(logprobs), text);
    }
    const { response_metadata, content } = await chat(fields).invoke(question);
    assert.equal(textOf(response_metadata.logprobs), content);
    assert.equal(response_metadata.logprobs.content[0].top_logprobs.length, 2);
  });

  it("stops at a stop text", async () => {
    const model = chat({ temperature: 0 });
    const { content } = await model.invoke(question);
    const stop = content.slice(8, 11);
    const stopped = await model.invoke(question, { stop: [stop] });
    assert.equal(stopped.content, content.slice(0, content.indexOf(stop)));
  });

  it("completes texts", async () => {
    const model = new langchain.OpenAI({
      model: "jai-small",
      apiKey: "none",
      maxRetries: 0,
      maxTokens: 10,
      temperature: 0,
      configuration: { baseURL },
    });
    const text = await model.invoke(question);
    assert.ok(text.length > 0);
    let streamed = "";
    for await (const chunk of await model.stream(question)) streamed += chunk;
    assert.equal(streamed, text);
    const { generations } = await model.generate([question, "연봉은?"]);
    assert.equal(generations.length, 2);
    assert.equal(generations[0][0].text, text);
  });

  it("frees the slot when a stream is left midway, and when a call is aborted", async () => {
    const model = chat({ modelKwargs: { ignore_eos: true } });
    for await (const chunk of await model.stream(question)) if (chunk.content) break;
    await idle(server);
    const controller = new AbortController();
    const asked = model.invoke(question, { signal: controller.signal });
    controller.abort();
    await assert.rejects(asked);
    await idle(server);
  });

  for (const [what, fields, messages, status, code] of [
    [
      "a role that the template refuses",
      {},
      [
        ["user", question],
        ["system", "x"],
      ],
      400,
      "invalid_value",
    ],
    ["more than the context", { maxTokens: 506 }, question, 400, "context_length_exceeded"],
    ["another model", { model: "gpt-4" }, question, 404, "model_not_found"],
    [
      "a deadline that passes",
      { modelKwargs: { timeout: { total: 0.001 } } },
      question,
      504,
      "deadline_exceeded",
    ],
  ])
    it(`throws the SDK's own error for ${what}`, async () => {
      await assert.rejects(chat(fields).invoke(messages), (error) => {
        // LangChain wraps some errors: the SDK's is then their cause.
        const { status: got, code: gotCode } = error.status === undefined ? error.cause : error;
        assert.deepEqual([got, gotCode], [status, code], `${error}`);
        return true;
      });
    });

  it("throws for a stream that fails midway", async () => {
    const model = chat({ modelKwargs: { ignore_eos: true, timeout: { total: 0.02 } } });
    const read = async () => {
      for await (const _ of await model.stream(question));
    };
    await assert.rejects(read, /deadline/);
  });

  it("gets an object of a zod schema", async () => {
    const schema = zod.z.object({ city: zod.z.enum(["서울", "판교"]), remote: zod.z.boolean() });
    const model = chat({ modelKwargs: { seed: 1 } }).withStructuredOutput(schema, { method: "jsonSchema" });
    assert.ok(schema.safeParse(await model.invoke(question)).success);
  });
});

describe("LangChain with a server that is full", { skip }, () => {
  it("retries after the time in Retry-After", async (context) => {
    const { server, baseURL } = await serve(context, { JAI_CONCURRENCY: "1", JAI_QUEUE_LIMIT: "0" });
    const letGo = await occupy(server);
    const { statuses, fetch } = watchedFetch((status) => (status === 503 ? letGo() : undefined));
    const model = new langchain.ChatOpenAI({
      model: "jai-small",
      apiKey: "none",
      maxRetries: 2,
      maxTokens: 5,
      configuration: { baseURL, fetch },
    });
    const { content } = await model.invoke(question);
    assert.deepEqual(statuses, [503, 200]);
    assert.ok(content.length > 0);
  });
});
