import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { getPriority } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { readModelFolder } from "../../models/folder.js";
import { decode } from "../../workers/grammar/compiled.js";
import { Compiler } from "../../workers/grammar/compiler.js";
import type { GrammarSource } from "../../workers/protocol.js";
import type { PublicError } from "../errors/errors.js";
import { settled, VirtualClock } from "../queue/fixtures/virtual-clock.js";
import { Cancelled } from "../queue/refusal.js";
import { packageRoot } from "../settings/config.js";
import { Forms } from "./forms.js";

const scripted = fileURLToPath(new URL("../fixtures/scripted-compiler.js", import.meta.url));
const regex = (pattern: string): GrammarSource => ({ type: "regex", pattern });

function open(context: TestContext, options: Partial<ConstructorParameters<typeof Forms>[0]> = {}) {
  const clock = new VirtualClock();
  const forms = new Forms({ filename: scripted, modelDir: "model", clock, ...options });
  context.after(() => forms.close());
  /** The id of the thread that compiled a form, and how many forms it had answered by then. */
  const check = async (pattern: string, signal?: AbortSignal, caller = "anna") => [
    ...(await forms.check(regex(pattern), caller, signal)).numbers,
  ];
  /** Resolves when the thread has begun to compile a form. */
  const begun = async () => {
    while (clock.timers.size === 0) await settled();
  };
  return { forms, clock, check, begun };
}

const refused = (reason: RegExp) => (error: PublicError) =>
  error.code === "invalid_grammar" && reason.test(error.message);

test("a form is compiled once and shared", async (context) => {
  const { forms, check } = open(context);
  const [one, two] = await Promise.all([forms.check(regex("a"), "anna"), forms.check(regex("a"), "anna")]);
  assert.equal(one, two);
  const other = await forms.check(regex("b"), "anna");
  assert.notEqual(other.id, one!.id);
  assert.deepEqual(await check("a"), [other.numbers[0], 1]);
});

test("a refusal is remembered too", async (context) => {
  const { check } = open(context);
  for (let i = 0; i < 2; i++)
    await assert.rejects(check("refuse"), refused(/^No text can be held .*: expected another form 1$/));
});

test("the last used forms are remembered, others are compiled again", async (context) => {
  const { check } = open(context, { recent: { count: 2 } });
  const answers: number[] = [];
  for (const pattern of ["a", "b", "a", "c", "a", "b"]) answers.push((await check(pattern))[1]!);
  assert.deepEqual(answers, [1, 2, 1, 3, 1, 4]);
});

test("the remembered forms are bounded in bytes", async (context) => {
  const { check } = open(context, { recent: { bytes: 5000 } });
  const long = "a".repeat(1000);
  const answers: number[] = [];
  for (const pattern of [long, `${long}b`, long, `${long}c`, long, `${long}b`])
    answers.push((await check(pattern))[1]!);
  assert.deepEqual(answers, [1, 2, 1, 3, 1, 4]);
});

test("a form that takes too long is refused, and a new thread takes the next", async (context) => {
  const { check, clock, begun } = open(context, { seconds: 3 });
  const [thread] = await check("a");
  const slow = check("hang");
  const next = check("b");
  await begun();
  const ends = assert.rejects(
    slow,
    refused(/expected a simpler grammar, got one that takes longer than 3 s/),
  );
  await clock.advance(2999);
  assert.equal(clock.timers.size, 1);
  await clock.advance(1);
  await ends;
  const [another, answered] = await next;
  assert.notEqual(another, thread);
  assert.equal(answered, 1);
  // The refusal was not remembered: the machine may have been busy.
  const again = check("hang");
  await begun();
  await Promise.all([assert.rejects(again, refused(/longer than 3 s/)), clock.advance(3000)]);
});

test("a form that takes too much memory is refused, and a new thread takes the next", async (context) => {
  const { check } = open(context, { megabytes: 16 });
  await assert.rejects(
    check("grow"),
    refused(/expected a smaller grammar, got one that takes too much memory/),
  );
  assert.equal((await check("a"))[1], 1);
});

test("a thread that fails throws, not refuses, and a new thread takes the next", async (context) => {
  const { check } = open(context);
  const [thread] = await check("a");
  await assert.rejects(check("crash"), /the thread crashed/);
  await assert.rejects(check("exit"), /the thread that compiles forms has ended/);
  const [another, answered] = await check("b");
  assert.notEqual(another, thread);
  assert.equal(answered, 1);
});

test("a thread that cannot read the model fails every form", async (context) => {
  const { check } = open(context, { modelDir: "unreadable" });
  for (const pattern of ["a", "b"]) await assert.rejects(check(pattern), /the model cannot be read/);
});

test("an abandoned form rejects at once and doesn't hold up the next", async (context) => {
  const { check, clock, begun } = open(context);
  const leaving = new AbortController();
  const signal = leaving.signal;
  const [first, waiting] = [check("hang", signal), check("a", signal)];
  const after = check("b");
  await begun();
  const reason = new Error("left");
  leaving.abort(reason);
  for (const one of [first, waiting, check("c", signal)]) await assert.rejects(one, reason);
  await clock.advance(10_000);
  assert.equal((await after)[1], 1);
});

test("a remembered form does not wait for others", async (context) => {
  const { check, clock, begun } = open(context);
  const known = await check("a");
  await assert.rejects(check("refuse"));
  const slow = check("hang");
  await begun();
  assert.deepEqual(await check("a"), known);
  await assert.rejects(check("refuse"), refused(/another form 2/));
  await Promise.all([assert.rejects(slow), clock.advance(10_000)]);
});

test("callers take turns: one caller's many forms delay another's by one form at most", async (context) => {
  const { check } = open(context);
  const order: string[] = [];
  const ask = async (pattern: string, caller: string, signal?: AbortSignal) => {
    await check(pattern, signal, caller);
    order.push(pattern);
  };
  const leaving = new AbortController();
  const all = [
    ...["a1", "a2", "a3", "a4"].map((pattern) => ask(pattern, "anna")),
    assert.rejects(ask("c1", "carl", leaving.signal)),
    ...["b1", "b2"].map((pattern) => ask(pattern, "ben")),
  ];
  leaving.abort(new Error("left"));
  await Promise.all(all);
  assert.deepEqual(order, ["a1", "a2", "b1", "a3", "b2", "a4"]);
});

test("closing refuses waiting callers and later ones", async (context) => {
  const { forms, check, begun } = open(context);
  const [compiling, waiting] = [check("hang"), check("a")];
  await begun();
  const ends = [compiling, waiting].map((one) => assert.rejects(one, Cancelled));
  await forms.close();
  await Promise.all(ends);
  await assert.rejects(check("b"), Cancelled);
});

test("the real compiler's thread gives the same as the compiler itself", async (context) => {
  const modelDir = join(packageRoot, "models/jai-small");
  const { tokenizer, config } = readModelFolder(modelDir);
  const compiler = new Compiler(tokenizer, config.vocab_size);
  const filename = fileURLToPath(new URL("../../workers/compile.js", import.meta.url));
  const { forms } = open(context, { filename, modelDir });
  const sources: GrammarSource[] = [
    { type: "json_object" },
    { type: "json_schema", schema: '{"properties":{"이름":{"type":"string","minLength":2}}}' },
    { type: "grammar", ebnf: 'root ::= "(" root ")" | [가-힣]{1,}' },
    regex("(a|b){2,}c?"),
  ];
  for (const source of sources) {
    const { numbers } = await forms.check(source, "anna");
    assert.deepEqual(decode(numbers), decode(compiler.compile(source)));
  }
  await assert.rejects(forms.check(regex("("), "anna"), refused(/^No text can be held .*: expected /));
  const deep = `${'{"items":'.repeat(3000)}{}${"}".repeat(3000)}`;
  await assert.rejects(
    forms.check({ type: "json_schema", schema: deep }, "anna"),
    refused(/expected a grammar with less nesting, got one that is nested too deeply$/),
  );
});

/** Compiles a form in a process of its own, of this niceness; returns the niceness of each of its threads. */
async function nicenesses(niceness: number): Promise<number[]> {
  const code = `
    import { readdirSync, readFileSync } from "node:fs";
    import { setPriority } from "node:os";
    setPriority(${niceness});
    const { Forms } = await import(${JSON.stringify(new URL("forms.js", import.meta.url))});
    const forms = new Forms(${JSON.stringify({
      filename: fileURLToPath(new URL("../../workers/compile.js", import.meta.url)),
      modelDir: join(packageRoot, "models/jai-small"),
    })});
    await forms.check({ type: "regex", pattern: "a" }, "anna");
    const stat = (thread) => readFileSync(\`/proc/self/task/\${thread}/stat\`, "utf8");
    const fields = (thread) => stat(thread).split(") ")[1].split(" ");
    console.log(JSON.stringify(readdirSync("/proc/self/task").map((thread) => Number(fields(thread)[16]))));
    await forms.close();
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", code]);
  return JSON.parse(stdout);
}

test("forms are compiled behind the streams, whatever the niceness and the flags of the process", {
  skip: process.platform !== "linux" && "elsewhere a thread has no niceness of its own",
}, async () => {
  // Only root may be less nice than the process that runs the tests.
  for (const own of [getPriority(), Math.max(getPriority(), 10), 19])
    assert.equal(Math.max(...(await nicenesses(own))), Math.min(own + 5, 19));
});
