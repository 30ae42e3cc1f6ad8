import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { finished } from "../fixtures/finished.js";
import { serveStandIn } from "../fixtures/stand-in.js";
import { Callers } from "../keys/callers.js";
import { hashKey, unlimited } from "../settings/key.js";
import { startSession } from "./fixtures/chat-server.js";

const cli = fileURLToPath(new URL("../cli.js", import.meta.url));

function startChat(context: TestContext, args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [cli, "chat", ...args], { env: { PATH: process.env.PATH, ...env } });
  context.after(() => child.kill("SIGKILL"));
  // A chat that fails to start closes its input, and writing to it then raises EPIPE.
  child.stdin.on("error", () => {});
  const end = Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]).then(
    ([stdout, stderr, [status]]) => ({ status, stdout, stderr }),
  );
  return { child, end };
}

test("each non-empty line is sent to /chat with the flags' fields; the end of input exits with 0", async (context) => {
  const { url, jobs } = await serveStandIn(context);
  const { child, end } = startChat(context, ["--url", url, "--temperature", "0.5", "--max-tokens", "3"]);
  child.stdin.end("one\n \n두 번째");
  assert.deepEqual(await end, { status: 0, stdout: "!!!\n!!!\n", stderr: "" });
  const asked = jobs.map(({ task }) => [String.fromCodePoint(...task.promptIds), task.sampling.temperature]);
  assert.deepEqual(asked, [
    ["[QUESTION]\none\n[/QUESTION]\n\n[ANSWER]", 0.5],
    ["[QUESTION]\n두 번째\n[/QUESTION]\n\n[ANSWER]", 0.5],
  ]);
});

test("--conversation makes piped lines one conversation with slash commands; notes are no part of the answers", async (context) => {
  const { url, prompts } = await startSession(context);
  const { child, end } = startChat(context, ["--url", url, "--conversation", "--system", "S"]);
  child.stdin.end("one\ntwo\n/reset\nthree\n/exit\nfour\n");
  const { status, stdout, stderr } = await end;
  assert.deepEqual([status, stdout], [0, "hello\nhello\nhello\n"]);
  assert.equal(stderr, "the conversation is forgotten\n");
  assert.deepEqual(prompts(), ["s:S|u:one|a:", "s:S|u:one|a:hello|u:two|a:", "s:S|u:three|a:"]);
});

test("--system alone leaves each piped line a question of its own", async (context) => {
  const { url, prompts } = await startSession(context);
  const { child, end } = startChat(context, ["--url", url, "--system", "S"]);
  child.stdin.end("one\n/reset\n");
  assert.equal((await end).stdout, "hello\nhello\n");
  assert.deepEqual(prompts(), ["s:S|u:one|a:", "s:S|u:/reset|a:"]);
});

for (const args of [[], ["--conversation"]]) {
  test(`--json ${args.join(" ")} prints one object for each answer`, async (context) => {
    const { url } = await startSession(context, {
      answer: () => finished({ reason: "stop", generated: "a\u001b[2J\nb", completionTokens: 3 }),
    });
    const { child, end } = startChat(context, ["--url", url, "--json", ...args]);
    child.stdin.end("one\ntwo\n");
    const { status, stdout } = await end;
    assert.equal(status, 0);
    assert.ok(!stdout.includes("\u001b"));
    const answers = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      answers.map(({ generated, finish_reason, usage }) => [
        generated,
        finish_reason,
        usage.completion_tokens,
      ]),
      [
        ["a\u001b[2J\nb", "stop", 3],
        ["a\u001b[2J\nb", "stop", 3],
      ],
    );
  });
}

test("a wrong slash command on a pipe exits with 1", async (context) => {
  const { url } = await startSession(context);
  const { child, end } = startChat(context, ["--url", url, "--conversation"]);
  child.stdin.end("/rest\none\n");
  const { status, stdout, stderr } = await end;
  assert.deepEqual([status, stdout], [1, ""]);
  assert.match(stderr, /^no command \/rest; did you mean \/reset\?.*\n$/);
});

test("Ctrl-C during an answer exits with 0 and cancels the request", async (context) => {
  const { url, jobs, until } = await serveStandIn(context, { hold: true });
  const { child, end } = startChat(context, ["--url", url]);
  child.stdin.write("one\n");
  await until(() => jobs.length === 1);
  child.kill("SIGINT");
  assert.equal((await end).status, 0);
  await until(() => jobs[0]!.cancelled);
});

test("the server's error is printed in one line, and chat on a pipe exits with 1", async (context) => {
  const { url, queue } = await serveStandIn(context, { maxTokens: 10 });
  const tooLong = startChat(context, ["--url", url, "--max-tokens", "11"]);
  tooLong.child.stdin.end("one\ntwo\n");
  assert.deepEqual(await tooLong.end, {
    status: 1,
    stdout: "",
    stderr: "the server answered 422: max_tokens: Input should be less than or equal to 10\n",
  });
  void queue.drain();
  const late = startChat(context, ["--url", url]);
  late.child.stdin.end("one\n");
  assert.equal((await late.end).stderr, "the server answered 503: The server is shutting down\n");
});

test("a model without a chat template is one line that says what to do, exit status 1", async (context) => {
  const { url, jobs } = await serveStandIn(context, { model: { chatTemplate: null } });
  const { child, end } = startChat(context, ["--url", url]);
  child.stdin.end("one\n");
  assert.deepEqual(await end, {
    status: 1,
    stdout: "",
    stderr:
      "stand-in has no chat template: send it texts to continue with POST /generate, or import it again with --chat-template\n",
  });
  assert.equal(jobs.length, 0);
});

test("the key comes from --key or JAI_API_KEY, and no output or log line shows it", async (context) => {
  const KEY = "a-key-of-the-test";
  const callers = new Callers([{ name: "test", hash: hashKey(KEY), priority: 0, limits: unlimited }]);
  const { url, lines } = await serveStandIn(context, { callers });
  const seen: unknown[] = [];
  for (const [args, env, status] of [
    [["--key", KEY], { JAI_API_KEY: "another-key" }, 0],
    [[], { JAI_API_KEY: KEY }, 0],
    [["--key", `${KEY}x`], {}, 1],
    [["--key", `${KEY} x`], {}, 2],
    [[], {}, 1],
  ] as const) {
    const { child, end } = startChat(context, ["--url", url, "--max-tokens", "3", ...args], env);
    child.stdin.end("one\n");
    const ended = await end;
    assert.equal(ended.status, status, ended.stderr);
    seen.push(ended);
  }
  assert.doesNotMatch(JSON.stringify([seen, lines]), /a-key-of|another-key/);
});

test("no server, or one that is not jai-server, is reported in one line, exit status 1", async (context) => {
  const other = createServer((_req, res) => res.end("<html>")).listen(0, "127.0.0.1");
  await once(other, "listening");
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  assert.deepEqual(await startChat(context, ["--url", url]).end, {
    status: 1,
    stdout: "",
    stderr: `expected a jai-server at ${url}/, got answers of another kind\n`,
  });
  other.close();
  other.closeAllConnections();
  await once(other, "close");
  assert.deepEqual(await startChat(context, ["--url", url]).end, {
    status: 1,
    stdout: "",
    stderr: `no answer from ${url}/: ECONNREFUSED; "jai serve" starts a server\n`,
  });
});

for (const [flag, value] of [
  ["--url", "localhost:8000"],
  ["--temperature", "hot"],
  ["--temperature", "9".repeat(400)],
  ["--max-tokens", "0"],
] as const) {
  test(`${flag} ${value} is wrong usage, and exits with 2`, async (context) => {
    const { status, stderr } = await startChat(context, [flag, value]).end;
    assert.equal(status, 2);
    assert.match(
      stderr,
      new RegExp(`^jai chat: ${flag}: expected .*, got "${value}"; see jai chat --help\n$`),
    );
  });
}
