import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { finished } from "../../fixtures/finished.js";
import { WorkerLost } from "../../pool/pool.js";
import { recordingView, SHORT_TEMPLATE, startSession } from "../fixtures/chat-server.js";
import { answersEvents, serveOther } from "../fixtures/other-server.js";
import { checkSystem, keepsConversation } from "./abilities.js";
import { Session } from "./session.js";

test("a question is asked with all that was said before; answers lose the white space at their ends", async (context) => {
  const { session, view, prompts } = await startSession(context);
  session.conversation.system = "S";
  await session.ask("one");
  await session.ask("two");
  assert.deepEqual(prompts(), ["s:S|u:one|a:", "s:S|u:one|a:hello|u:two|a:"]);
  assert.deepEqual(view.log, ["wait: -", "hello", "end", "wait: -", "hello", "end"]);
});

test("the options of /set go with the question", async (context) => {
  const { session, jobs } = await startSession(context);
  session.fields = { temperature: 0.5, max_tokens: 9, stop: ["x", "y"], seed: 5 };
  await session.ask("one");
  const { maxTokens, sampling, stop } = jobs[0]!.task;
  assert.deepEqual([maxTokens, sampling.temperature, sampling.seed, stop], [9, 0.5, [5, 0], ["x", "y", "|"]]);
});

test("a stopped answer frees its slot and stays in the conversation as far as it was shown", async (context) => {
  const { session, view, jobs, until } = await startSession(context, { hold: true });
  const asked = session.ask("one");
  await until(() => jobs.length === 1);
  jobs[0]!.say("he", 2);
  await view.until(() => view.log.includes("he"));
  assert.equal(session.stop(), true);
  assert.equal(session.stop(), false);
  assert.equal(await asked, null);
  await until(() => jobs[0]!.cancelled);
  assert.deepEqual(session.conversation.messages, [
    { role: "user", content: "one" },
    { role: "assistant", content: "he" },
  ]);
  assert.equal(view.log.at(-1), "note: stopped; the model will see the answer as far as it went");
});

for (const [what, events, said] of [
  ["has no choices", ['{"choices":null}', "{}", '{"choices":[null]}', "[DONE]"], ""],
  [
    "tells another kind of place",
    [": queue {}", ': queue {"position":"1\\u001b[2J"}', ": queue null", "[DONE]"],
    "",
  ],
  ["has texts of another kind", ['{"choices":[{"delta":{"content":{"a":1}}}]}', "[DONE]"], "[object Object]"],
  ["has an error of another kind", ['{"error":"no\\nway"}'], "the server stopped the answer: no\\nway"],
  ["has an error without a reason", ['{"error":{}}'], "the server stopped the answer: {}"],
  ["is no JSON", ["x"], "expected JSON in the stream, got something else"],
  ["is empty", [], "the connection ended before the answer was whole"],
] as const) {
  test(`a stream that ${what} is an answer or one line`, async (context) => {
    const url = await serveOther(context, answersEvents(...events));
    const view = recordingView();
    const session = new Session({ server: { url, key: undefined }, context: null, fields: {}, view });
    const got = await session.ask("one").then(
      (answer) => answer?.text,
      (error: Error) => error.message,
    );
    assert.equal(got, said);
    assert.deepEqual(
      view.log.filter((line) => line.startsWith("wait: ")),
      ["wait: -"],
    );
  });
}

test("a waiting question shows its place, and one that is stopped leaves the queue and the conversation", async (context) => {
  const { session, view, jobs, queue, post, until } = await startSession(context, { hold: true, slots: 1 });
  const other = post("/generate", { prompt: "x" });
  await until(() => jobs.length === 1);
  const asked = session.ask("one");
  await view.until(() => view.log.includes("wait: 1"));
  session.stop();
  assert.equal(await asked, null);
  assert.deepEqual(session.conversation.messages, []);
  assert.equal(view.log.at(-1), "note: stopped");
  jobs[0]!.finish();
  await (await other).text();
  assert.equal(queue.waiting, 0);
});

test("an error within the stream is told, and the conversation is as before", async (context) => {
  const { session, view, jobs, until } = await startSession(context, { hold: true });
  const asked = session.ask("one");
  await until(() => jobs.length === 1);
  jobs[0]!.say("he", 2);
  await view.until(() => view.log.includes("he"));
  jobs[0]!.fail(new WorkerLost("secret"));
  await assert.rejects(asked, { message: /^the server stopped the answer: The worker .*lost$/ });
  assert.deepEqual(session.conversation.messages, []);
  assert.equal(view.log.at(-1), "end");
});

test("a stream that ends before its answer is whole is an error", async (context) => {
  const cut = createServer((_req, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.end('data: {"choices":[{"delta":{"content":"he"}}]}\n\n');
  }).listen(0, "127.0.0.1");
  await once(cut, "listening");
  context.after(() => void cut.close());
  const url = `http://127.0.0.1:${(cut.address() as AddressInfo).port}/`;
  const view = recordingView();
  const session = new Session({ server: { url, key: undefined }, context: null, fields: {}, view });
  await assert.rejects(session.ask("one"), { message: "the connection ended before the answer was whole" });
  assert.deepEqual([view.log, session.conversation.length], [["wait: -", "he", "end"], 0]);
});

test("an empty answer is told as such", async (context) => {
  const { session, view } = await startSession(context, {
    answer: () => finished({ reason: "stop", generated: " \n", completionTokens: 1 }),
  });
  await session.ask("one");
  assert.deepEqual(view.log, ["wait: -", "end", "note: the model answered nothing"]);
});

for (const [what, fields, tokens, note] of [
  ["max_tokens", { max_tokens: 7 }, 7, "cut at max_tokens 7; /set max_tokens N allows more"],
  [
    "the context",
    {},
    56,
    "cut: the model's context of 64 tokens is full; /forget drops the oldest question and answer",
  ],
  ["the server's limit", {}, 20, "cut at the server's limit of 20 tokens"],
] as const) {
  test(`an answer that ${what} has cut is marked`, async (context) => {
    const { session, view } = await startSession(context, {
      answer: ({ promptIds }) =>
        finished({
          reason: "length",
          generated: "x",
          promptTokens: promptIds.length,
          completionTokens: tokens,
        }),
    });
    session.fields = fields;
    await session.ask("four");
    await session.ask("four");
    assert.ok(view.log.includes(`note: ${note}`), view.log.join("\n"));
  });
}

test("a conversation beyond the context is refused with advice, and can go on once it is shorter", async (context) => {
  const { session, prompts } = await startSession(context);
  session.conversation.add("x".repeat(30), "y".repeat(20));
  await assert.rejects(session.ask("one"), {
    message: /^the server answered 400: .*maximum context length is 64.* \/forget drops the oldest/,
  });
  assert.equal(session.conversation.length, 1);
  session.conversation.forget();
  await session.ask("one");
  assert.deepEqual(prompts(), ["u:one|a:"]);
});

test("a chat template without a place for earlier answers, or for a system text, is found out", async (context) => {
  const lastAlone = "{{ messages[-1].content }}";
  const noSystem = `{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}${SHORT_TEMPLATE}`;
  const { session: short } = await startSession(context, { template: lastAlone });
  assert.equal(await keepsConversation(short.server), false);
  await assert.rejects(checkSystem(short.server, "S"), { message: /ignores system texts/ });
  const { session } = await startSession(context, { template: noSystem });
  assert.equal(await keepsConversation(session.server), true);
  await assert.rejects(checkSystem(session.server, "S"), { message: /no system/ });
  const { session: whole } = await startSession(context);
  await checkSystem(whole.server, "S");
});

test("a conversation that the template can't carry is not sent, but kept for /save", async (context) => {
  const { session, prompts } = await startSession(context);
  session.conversation.remembers = false;
  await session.ask("one");
  await session.ask("two");
  assert.deepEqual(prompts(), ["u:one|a:", "u:two|a:"]);
  assert.equal(session.conversation.length, 2);
});
