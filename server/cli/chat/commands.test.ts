import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { recordingView, startSession } from "../fixtures/chat-server.js";
import { completeSlash, runSlash } from "./commands.js";
import { Session } from "./session.js";

function offline() {
  const view = recordingView();
  const server = { url: "http://127.0.0.1:9/", key: undefined };
  return { view, session: new Session({ server, context: null, fields: {}, view }) };
}

test("/help names every command, Tab completes them, and /exit ends", async () => {
  const { session, view } = offline();
  assert.equal(await runSlash(session, "/help"), false);
  for (const line of completeSlash("/")) assert.ok(view.log.some((shown) => shown.includes(line.trim())));
  assert.deepEqual(completeSlash("/se"), ["/set "]);
  assert.deepEqual(completeSlash("/set top"), ["/set top_k ", "/set top_p "]);
  assert.deepEqual(completeSlash("hello"), []);
  assert.equal(await runSlash(session, "/exit"), true);
});

for (const [line, message] of [
  ["/rest", /^no command \/rest; did you mean \/reset\?/],
  ["/\u001b[2J", /^no command \/\\u\{1b\}\[2J/],
  ["/constructor", /^no command \/constructor; \/help lists them/],
  ["/reset now", /^\/reset: expected nothing after it, got "now"$/],
  ["/forget", /^\/forget: the conversation is empty$/],
  ["/set temprature 1", /did you mean temperature\?$/],
  ["/set constructor 1", /no option "constructor"/],
  ["/set temperature", /^\/set temperature: expected a number from 0, or default, got nothing$/],
  ["/set temperature hot", /^\/set temperature: expected a number from 0, or default, got "hot"$/],
  ["/set temperature -1", /expected a number from 0/],
  ["/set temperature 1e999", /expected a number from 0, or default, got "1e999"$/],
  [`/load /${"x".repeat(5000)}`, /^\/load: \/x+ can't be read: ENAMETOOLONG$/],
  ["/set max_tokens 1.5", /expected an integer from 1/],
  ["/set top_p 2", /expected a number from 0 to 1/],
  ["/set seed 99999999999999999", /expected an integer/],
  ['/set stop ["a", 1]', /expected a text, or a JSON list/],
  ["/set stop [", /expected a text, or a JSON list/],
  ["/save", /^\/save: expected a file, got none$/],
  ["/save -f", /^\/save: expected a file, got none$/],
  ["/save x.json", /^\/save: the conversation is empty$/],
  ["/load", /^\/load: expected a file, got none$/],
  ["/load /nowhere/x.json", /^\/load: \/nowhere\/x.json can't be read: ENOENT$/],
] as const) {
  test(`${JSON.stringify(line)} is refused in one line and changes nothing`, async () => {
    const { session } = offline();
    await assert.rejects(runSlash(session, line), (error: Error) => {
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
    assert.deepEqual([session.fields, session.conversation.messages], [{}, []]);
  });
}

test("a number is taken in the form in which /save writes it", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "jai-chat-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "saved.json");
  const { session } = offline();
  session.conversation.add("q", "a");
  await runSlash(session, "/set min_p 0.0000001");
  await runSlash(session, `/save ${file}`);
  assert.match(readFileSync(file, "utf8"), /1e-7/);
  const other = offline().session;
  await runSlash(other, `/load ${file}`);
  assert.deepEqual(other.fields, { min_p: 1e-7 });
});

test("/set changes an option, takes it back, and alone lists all with their values", async () => {
  const { session, view } = offline();
  await runSlash(session, "/set temperature .5");
  await runSlash(session, "/set stop END OF IT");
  assert.deepEqual(session.fields, { temperature: 0.5, stop: ["END OF IT"] });
  await runSlash(session, "/set temperature default");
  assert.deepEqual(session.fields, { stop: ["END OF IT"] });
  await runSlash(session, "/set");
  assert.ok(view.log.some((line) => /^note: stop +\["END OF IT"\] /.test(line)));
  assert.ok(view.log.some((line) => /^note: temperature +default /.test(line)));
});

test("/reset and /forget shorten the conversation; the system text and the options stay", async (context) => {
  const { session } = await startSession(context);
  await runSlash(session, "/system be brief");
  await runSlash(session, "/set seed 7");
  for (const text of ["a", "b", "c"]) session.conversation.add(text, text);
  await runSlash(session, "/forget");
  assert.deepEqual(
    session.conversation.messages.map(({ content }) => content),
    ["be brief", "b", "b", "c", "c"],
  );
  await runSlash(session, "/reset");
  assert.deepEqual(session.conversation.messages, [{ role: "system", content: "be brief" }]);
  await runSlash(session, "/system");
  assert.deepEqual([session.conversation.messages, session.fields], [[], { seed: 7 }]);
});

test("what /save writes can be POSTed again and loaded; a file is overwritten only with -f", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "jai-chat-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "a conversation.json");
  const { session, post } = await startSession(context);
  await runSlash(session, "/set max_tokens 7");
  await runSlash(session, '/set stop ["\\n", "END"]');
  await session.ask("하나");
  await runSlash(session, `/save ${file}`);
  const saved = readFileSync(file, "utf8");
  const response = await post("/v1/chat/completions", saved);
  assert.equal(response.status, 200, await response.text());

  await runSlash(session, "/reset");
  await runSlash(session, "/set stop default");
  await runSlash(session, `/load ${file}`);
  assert.deepEqual({ messages: session.conversation.messages, ...session.fields }, JSON.parse(saved));
  session.conversation.add("more", "more");
  await assert.rejects(runSlash(session, `/save ${file}`), {
    message: /is there already; \/save -f .* overwrites/,
  });
  assert.equal(readFileSync(file, "utf8"), saved);
  await runSlash(session, `/save -f ${file}`);
  assert.equal(JSON.parse(readFileSync(file, "utf8")).messages.length, 4);
});

test("a folder, a pipe and a huge file are refused at once by /load and /save", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "jai-chat-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const huge = join(folder, "huge");
  writeFileSync(huge, "");
  truncateSync(huge, 2 ** 32);
  const { session } = offline();
  session.conversation.add("q", "a");
  for (const command of ["/load", "/save", "/save -f"])
    await assert.rejects(runSlash(session, `${command} ${folder}`), {
      message: `${command.slice(0, 5)}: ${folder}: expected a file, got a folder`,
    });
  await assert.rejects(runSlash(session, `/load ${huge}`), {
    message: `/load: ${huge}: expected at most 64.0 MiB, got 4.0 GiB`,
  });
  const pipe = join(folder, "pipe");
  if (spawnSync("mkfifo", [pipe]).status !== 0) return;
  for (const command of ["/load", "/save", "/save -f"])
    await assert.rejects(runSlash(session, `${command} ${pipe}`), {
      message: `${command.slice(0, 5)}: ${pipe}: expected a file, got a device or a pipe`,
    });
});

for (const [what, text] of [
  ["no JSON", "x"],
  ["a list", "[]"],
  ["no messages", "{}"],
  ["a message without a text", '{"messages":[{"role":"user"}]}'],
  ["null as a message", '{"messages":[null]}'],
  ["two questions in a row", '{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}'],
  ["a wrong option", '{"messages":[],"temperature":"hot"}'],
] as const) {
  test(`a file with ${what} is not loaded, and the conversation stays`, async (context) => {
    const folder = mkdtempSync(join(tmpdir(), "jai-chat-"));
    context.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "x.json");
    writeFileSync(file, text);
    const { session } = offline();
    session.conversation.add("a", "b");
    await assert.rejects(runSlash(session, `/load ${file}`), { message: /^\/load: .*expected [^\n]*$/ });
    assert.deepEqual([session.conversation.length, session.fields], [1, {}]);
  });
}
