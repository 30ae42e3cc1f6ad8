// The chat at a real pseudo-terminal.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { finished } from "../../fixtures/finished.js";
import { startSession } from "../fixtures/chat-server.js";
import { atTerminal, noTerminal } from "../fixtures/pseudo-terminal.js";

const skip = noTerminal;
const chatAtTerminal = (context: TestContext, url: string, environment?: Record<string, string>) =>
  atTerminal(context, ["chat", "--url", url], environment);

/** Enter sends a line; the prompt is there again after the answer. */
const PROMPT = "> ";

test("an answer streams as text, whatever the model writes, and Ctrl-D ends", { skip }, async (context) => {
  const hostile = "a\u001b[2J\u001b]0;x\u0007b\u202ec";
  const { url, jobs, until } = await startSession(context, {
    hold: true,
    answer: () => finished({ reason: "stop", generated: `${hostile}\n한글`, completionTokens: 9 }),
  });
  const chat = chatAtTerminal(context, url);
  await chat.until(PROMPT);
  chat.type("one\r");
  await until(() => jobs.length === 1);
  jobs[0]!.say(hostile, 5);
  await chat.until("a\\u{1b}[2J\\u{1b}]0;x\\u{7}b\\u{202e}c");
  jobs[0]!.finish();
  await chat.until("한글\r\n");
  chat.type("\u0004");
  assert.equal(await chat.end, 0);
  for (const code of ["\u001b[2J", "\u001b]0;", "\u202e"]) assert.ok(!chat.output().includes(code));
});

test("Ctrl-C stops the running answer, and at the prompt ends the program with 0", {
  skip,
}, async (context) => {
  const { url, jobs, until } = await startSession(context, { hold: true });
  const chat = chatAtTerminal(context, url);
  await chat.until(PROMPT);
  chat.type("one\r");
  await until(() => jobs.length === 1);
  jobs[0]!.say("part", 4);
  await chat.until("part");
  chat.type("\u0003");
  await chat.until("stopped; the model will see the answer as far as it went");
  await until(() => jobs[0]!.cancelled);
  chat.type("two\r");
  await until(() => jobs.length === 2);
  assert.equal(String.fromCodePoint(...jobs[1]!.task.promptIds), "u:one|a:part|u:two|a:");
  jobs[1]!.finish();
  await chat.until("hello");
  chat.type("\u0003");
  assert.equal(await chat.end, 0);
});

test("a question in the queue shows its place; what is typed meanwhile is the next question", {
  skip,
}, async (context) => {
  const { url, jobs, post, until, prompts } = await startSession(context, { hold: true, slots: 1 });
  const other = post("/generate", { prompt: "x" });
  await until(() => jobs.length === 1);
  const chat = chatAtTerminal(context, url);
  await chat.until(PROMPT);
  chat.type("one\r");
  await chat.until("waiting: position 1 in the queue");
  chat.type("two\r");
  jobs[0]!.finish();
  await (await other).text();
  await until(() => jobs.length === 2);
  jobs[1]!.finish();
  await until(() => jobs.length === 3);
  jobs[2]!.finish();
  assert.deepEqual(prompts().slice(1), ["u:one|a:", "u:one|a:hello|u:two|a:"]);
  chat.type("/exit\r");
  assert.equal(await chat.end, 0);
  assert.match(stripVTControlCharacters(chat.output()), /hello\r\n> two\r\n/);
});

test("each line of a pasted text is a question", { skip }, async (context) => {
  const { url, prompts } = await startSession(context);
  const chat = chatAtTerminal(context, url);
  await chat.until(PROMPT);
  chat.type("one\rtwo\r/reset\rthree\r/exit\r");
  assert.equal(await chat.end, 0);
  assert.deepEqual(prompts(), ["u:one|a:", "u:one|a:hello|u:two|a:", "u:three|a:"]);
});

test("an error is told at the prompt, and NO_COLOR leaves no colours", { skip }, async (context) => {
  const { url } = await startSession(context);
  const chat = chatAtTerminal(context, url, { NO_COLOR: "1" });
  await chat.until(PROMPT);
  chat.type("/rest\r");
  await chat.until("did you mean /reset?");
  chat.type("one\r");
  await chat.until("hello\r\n");
  chat.type("\u0004");
  assert.equal(await chat.end, 0);
  assert.doesNotMatch(chat.output(), /\[\d+m/);
});
