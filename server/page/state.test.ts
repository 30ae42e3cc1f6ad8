import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { promisify } from "node:util";
import { deflateRawSync } from "node:zlib";
import { readFragment, writeFragment } from "./source/state/fragment.js";
import { bodyOf, problemsOf, requestOf } from "./source/state/request.js";
import { newScreen, newTurn } from "./source/state/screen.js";
import { languages, snippet } from "./source/state/snippets.js";
import { visibleParts } from "./source/state/visible.js";
import { english } from "./source/texts/english.js";
import { korean } from "./source/texts/korean.js";
import { english as liveEnglish } from "./source/texts/live/english.js";
import { cutOf, newAnswer } from "./source/wire/answer.js";
import { matchIds } from "./source/wire/match-ids.js";

const run = promisify(execFile);
const base64 = (bytes: Buffer) => bytes.toString("base64url");
const plain = (value: unknown) => `#s=${base64(Buffer.from(JSON.stringify(value)))}`;

test("what is on the playground survives the trip through a fragment", async () => {
  for (const length of [1, 5000]) {
    const screen = newScreen();
    screen.mode = "completion";
    screen.prompt = "서울 <b>\u202e".repeat(length);
    screen.turns = [newTurn("user", "가"), newTurn("assistant", "나")];
    screen.numbers.temperature = "0";
    screen.form = "regex";
    screen.tokens = true;
    const fragment = (await writeFragment(screen))!;
    assert.match(fragment, length === 1 ? /^s=[\w-]+$/ : /^z=[\w-]{1,600}$/);
    const read = await readFragment(`#${fragment}`);
    const keyless = ({ turns, ...rest }: typeof screen) => ({
      ...rest,
      turns: turns.map(({ role, text }) => [role, text]),
    });
    assert.deepEqual(keyless(read!), keyless(screen));
  }
});

test("a state that no link could be read of is not written as one", async () => {
  const screen = newScreen();
  screen.prompt = randomBytes(80_000).toString("base64");
  assert.equal(await writeFragment(screen), null);
  // It compresses well, and would be refused when it is opened.
  screen.prompt = "a".repeat(1_100_000);
  assert.equal(await writeFragment(screen), null);
  screen.prompt = "";
  screen.turns = Array.from({ length: 1025 }, () => newTurn("user", "x"));
  assert.equal(await writeFragment(screen), null);
  screen.turns = [];
  screen.prompt = randomBytes(50_000).toString("base64");
  assert.equal((await readFragment(`#${await writeFragment(screen)}`))!.prompt, screen.prompt);
});

test("a fragment of somebody else's sets only known fields of the right type", async () => {
  const start = newScreen();
  const strange = {
    mode: "admin",
    prompt: 5,
    alternatives: 1e9,
    form: "code",
    numbers: { temperature: 5, top_p: "x".repeat(33), other: "1", __proto__: { seed: "1" } },
    turns: [{ role: "system", text: "x" }, { role: "user" }, null, "x"],
    output: { samples: [] },
    other: 1,
  };
  assert.deepEqual(await readFragment(plain(strange)), start);
  const bomb = deflateRawSync(Buffer.alloc(50_000_000, " "));
  for (const wrong of [
    "",
    "#jobs",
    "#s=",
    "#s=%%",
    "#z=AAAA",
    plain(null),
    plain(5),
    `#z=${base64(bomb)}`,
    `#s=${"A".repeat(200_000)}`,
  ])
    assert.equal(await readFragment(wrong), null, wrong.slice(0, 20));
});

test("a body has what the fields say, and nothing that is left to the server", () => {
  const screen = newScreen();
  const turns = [newTurn("user", "hi")];
  assert.deepEqual(bodyOf(screen, turns, "m"), {
    model: "m",
    messages: [{ role: "user", content: "hi" }],
    temperature: 0.8,
    top_k: 50,
  });
  screen.system = "be brief";
  Object.assign(screen.numbers, { temperature: "", timeout_total: "2.5", best_of: "3", n: "2" });
  screen.stop = "a\\nb\n\nc";
  screen.bias = "5: -100\n6 3";
  screen.form = "schema";
  screen.schema = "{}";
  screen.tokens = true;
  assert.deepEqual(bodyOf(screen, turns, "m"), {
    model: "m",
    messages: [
      { role: "system", content: "be brief" },
      { role: "user", content: "hi" },
    ],
    top_k: 50,
    n: 2,
    timeout: { total: 2.5 },
    stop: ["a\nb", "c"],
    logit_bias: { 5: -100, 6: 3 },
    logprobs: true,
    top_logprobs: 5,
    response_format: { type: "json_schema", json_schema: { name: "answer", schema: {} } },
  });
  // The best of several can't be streamed.
  screen.mode = "completion";
  const body = bodyOf(screen, [], "m");
  assert.equal(body.best_of, 3);
  assert.equal(body.max_tokens, 128);
  assert.equal(requestOf(body, 1, "completion").body.stream, undefined);
});

test("wrong fields are found before anything is sent", () => {
  const screen = newScreen();
  assert.deepEqual(problemsOf(screen), {});
  Object.assign(screen.numbers, { temperature: "hot", n: "1.5", top_p: "2" });
  screen.bias = "5: 1\nfive: 1";
  screen.form = "schema";
  screen.schema = "{";
  const { form, ...rest } = problemsOf(screen);
  assert.equal(form!.kind, "json");
  assert.deepEqual(rest, {
    temperature: { kind: "number", min: 0, max: 2, whole: false },
    n: { kind: "number", min: 1, max: 16, whole: true },
    top_p: { kind: "number", min: 0, max: 1, whole: false },
    logit_bias: { kind: "bias", line: "five: 1" },
  });
});

test("control and direction characters become visible, and all other text stays", () => {
  assert.deepEqual(visibleParts("a\u001b[31mb\u202ec\r\n\td👩‍👩‍👧\u200b"), [
    { text: "a" },
    { control: "ESC" },
    { text: "[31mb" },
    { control: "U+202E" },
    { text: "c" },
    { control: "CR" },
    { text: "\n\td👩‍👩‍👧" },
    { control: "U+200B" },
  ]);
  assert.deepEqual(visibleParts("<b>"), [{ text: "<b>" }]);
});

test("tokens get ids where the tokenizer agrees with the model, from both ends", () => {
  const token = (piece: string) => ({ piece, logprob: 0, top: [], id: null });
  const ids = (tokens: string[], found: number[], pieces: string[]) =>
    matchIds(tokens.map(token), found, pieces).map(({ id }) => id);
  assert.deepEqual(ids(["a", "b", "</s>"], [1, 2], ["a", "b"]), [1, 2, null]);
  assert.deepEqual(
    ids(["a", "\\xed", "\\x95", "c"], [1, 2, 3, 4], ["a", "\ufffd", "\ufffd", "c"]),
    [1, 2, 3, 4],
  );
  assert.deepEqual(ids(["a", "x", "y", "c"], [1, 2, 3, 4], ["a", "xx", "yy", "c"]), [1, null, null, 4]);
  assert.deepEqual(ids(["a"], [1, 2], ["a", "b"]), [1]);
});

test("programs quote what a user writes", async () => {
  const content = `it's "a" \\ $HOME \`x\`\n한 \u{1f600}`;
  const body = { messages: [{ role: "user", content }], stream: true, top_k: 5, echo: null };
  const source = { base: "http://x/", path: "/v1/chat/completions", body, keyed: true };
  const [, data] = /-d ([\s\S]*)$/.exec(snippet("curl", source))!;
  const { stdout } = await run("sh", ["-c", `printf %s ${data}`]);
  assert.deepEqual(JSON.parse(stdout), body);
  assert.match(snippet("curl", source), /^curl -N 'http:\/\/x\/v1\/chat\/completions'/);
  const python = snippet("Python", source);
  assert.match(python, /extra_body=\{"top_k": 5\},/);
  assert.match(python, /echo=None,/);
  assert.match(python, /api_key=os\.environ\["JAI_API_KEY"\]/);
  const javascript = snippet("JavaScript", source);
  const [, literal] = /body: JSON\.stringify\((\{[\s\S]*?\n {2}\})\),/.exec(javascript)!;
  assert.deepEqual(new Function(`return ${literal}`)(), body);
});

test("programs escape what would be invisible or turn the direction, and send it all the same", async () => {
  const content = "a\u202eb\u{e0041}\u007f\u2028\ufeff";
  const body = { messages: [{ role: "user", content }] };
  const source = { base: "http://x/", path: "/v1/chat/completions", body, keyed: false };
  for (const language of languages) assert.equal(visibleParts(snippet(language, source)).length, 1);
  const [, data] = /-d ([\s\S]*)$/.exec(snippet("curl", source))!;
  assert.deepEqual(JSON.parse((await run("sh", ["-c", `printf %s ${data}`])).stdout), body);
  const [, literal] = /body: JSON\.stringify\((\{[\s\S]*?\n {2}\})\),/.exec(snippet("JavaScript", source))!;
  assert.deepEqual(new Function(`return ${literal}`)(), body);
  assert.match(snippet("Python", source), /"a\\u202eb\\U000e0041\\u007f\\u2028\\ufeff"/);
});

test("a job's state has the API's name, and only sequences of the queue wait", () => {
  assert.equal(english.jobStates.queued, "queued");
  assert.equal(liveEnglish.jobsNow("1", "2"), "1 running, 2 queued");
});

test("an answer that is cut tells by what, as far as its numbers do", () => {
  const cut = (
    finishes: ("stop" | "length")[],
    completion_tokens: number,
    maxTokens: number | null = null,
  ) => {
    const answer = newAnswer(finishes.length, 1, maxTokens);
    const samples = finishes.map((finish) => ({ text: "x", tokens: [], finish }));
    return cutOf({ ...answer, samples, usage: { prompt_tokens: 16, completion_tokens } }, 256);
  };
  assert.equal(cut(["length"], 240), "context");
  assert.equal(cut(["length"], 240, 240), "context");
  assert.equal(cut(["length"], 239, 239), "max_tokens");
  // The server's own limit on max_tokens.
  assert.equal(cut(["length"], 100), "max_tokens");
  assert.equal(cut(["length", "length"], 480), "context");
  assert.equal(cut(["length", "stop"], 250, 240), "context");
  assert.equal(cut(["length", "stop"], 30, 20), "max_tokens");
  assert.equal(cut(["length", "stop"], 250), null);
  assert.equal(cutOf(newAnswer(1, 1, 20), 256), null);
});

test("both languages have a text for every key, in every depth", () => {
  const keysOf = (value: object): unknown[] =>
    Object.entries(value).map(([name, one]) => [
      name,
      one && typeof one === "object" ? keysOf(one) : typeof one,
    ]);
  assert.deepEqual(keysOf(korean), keysOf(english));
});
