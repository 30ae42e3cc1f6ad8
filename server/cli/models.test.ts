// `jai show` and `jai list`.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { FIXTURE_SIZES, writeFixtureModel } from "../../models/fixtures/model.js";
import { packageRoot } from "../settings/config.js";

const cli = fileURLToPath(new URL("../cli.js", import.meta.url));
const usual = join(packageRoot, "models/jai-small");
const english = join(packageRoot, "models/jai-tiny-english");

function jai(args: string[], { cwd = tmpdir(), ...environment }: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    encoding: "utf8",
    cwd,
    env: { PATH: process.env.PATH, ...environment },
  });
  return { status, stdout, stderr };
}

function scratch(context: TestContext): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "jai-models-")));
  context.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

async function fixtureModel(folder: string, precision: "int8" | "fp32"): Promise<string> {
  mkdirSync(join(folder, "onnx"), { recursive: true });
  await writeFixtureModel(folder, precision);
  return folder;
}

test("show describes the default model: sizes, precision, tokenizer, template, memory", () => {
  const { status, stdout, stderr } = jai(["show"]);
  assert.deepEqual([status, stderr], [0, ""]);
  for (const line of [
    /^jai-small$/m,
    /^ +parameters +5,018,240, of them 786,432 in the output head/m,
    /^ +context +512 tokens$/m,
    /^ +precision +int8$/m,
    /^ +self-test +int8 logits were [\d.]+ % off the original's at import$/m,
    /^ +vocabulary +3,072 tokens$/m,
    /^ +added +<\|end\|> 0, <\|system\|> 1/m,
    /^ +conversation +kept/m,
    /^ +system text +taken$/m,
    /^ +cache +680.0 KiB a sequence/m,
    /^ +1 at once +\d+\.\d MiB with 1 worker$/m,
  ])
    assert.match(stdout, line);
  assert.ok(!stdout.includes("\u001b"));
});

for (const precision of ["int8", "fp32"] as const) {
  test(`show --json counts an imported ${precision} model's parameters exactly`, async (context) => {
    const dir = await fixtureModel(scratch(context), precision);
    const { status, stdout, stderr } = jai(["show", dir, "--json"], { JAI_CONCURRENCY: "9" });
    assert.deepEqual([status, stderr], [0, ""]);
    const shown = JSON.parse(stdout);
    const { vocab, context: window, layers, heads, width, hidden } = FIXTURE_SIZES;
    const block =
      4 * width + 3 * width * (width + 1) + width * (width + 1) + hidden * (width + 1) + width * (hidden + 1);
    assert.deepEqual(shown.parameters, {
      total: vocab * width + window * width + layers * block + 2 * width + vocab * width,
      head: vocab * width,
    });
    assert.deepEqual(
      [shown.context, shown.layers, shown.heads, shown.width, shown.hidden, shown.precision],
      [window, layers, heads, width, hidden, precision],
    );
    assert.deepEqual(
      [shown.tokenizer.vocabulary, shown.tokenizer.added.length, shown.chat_template.terminator],
      [vocab, 5, "[/ANSWER]"],
    );
    assert.deepEqual(
      shown.plan.rows.map(({ concurrency }: { concurrency: number }) => concurrency),
      [1, 8, 9],
    );
    const bytes: number[] = shown.plan.rows.map((row: { bytes: number }) => row.bytes);
    assert.deepEqual(
      bytes,
      bytes.toSorted((a, b) => a - b),
    );
  });
}

test("show says that a model has no chat template, and lists all tokens that end a text", async (context) => {
  const dir = await fixtureModel(scratch(context), "int8");
  const change = (name: string, changes: object) => {
    const file = join(dir, name);
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), ...changes }));
  };
  change("tokenizer_config.json", { chat_template: null });
  change("generation_config.json", { eos_token_id: [256, 260] });
  const { status, stdout } = jai(["show", dir]);
  assert.equal(status, 0);
  assert.match(stdout, /^ {2}end of text {2,}token 256 or 260$/m);
  assert.match(stdout, /^ {2}source {2,}none: \/generate and \/v1\/completions alone; /m);
  const { chat_template, tokenizer } = JSON.parse(jai(["show", dir, "--json"]).stdout);
  assert.deepEqual([chat_template, tokenizer.eos_ids], [null, [256, 260]]);
});

test("show tells of a tokenizer without merges, and when a template is shown in part", async (context) => {
  const dir = await fixtureModel(scratch(context), "int8");
  const rowOf = (name: string) =>
    new RegExp(`^ {2}${name} {2,}(.*)$`, "m").exec(jai(["show", dir]).stdout)?.[1];
  const write = (name: string, field: string, value: unknown) => {
    const file = join(dir, name);
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), [field]: value }));
  };
  const { model } = JSON.parse(readFileSync(join(dir, "tokenizer.json"), "utf8"));
  write("tokenizer.json", "model", { ...model, merges: [] });
  assert.equal(rowOf("kind"), "BPE without merges, as of characters");
  write("tokenizer_config.json", "chat_template", "{{ messages[-1].content }}\n\n:\n");
  assert.equal(rowOf("source"), "{{ messages[-1].content }}  :");
  write("tokenizer_config.json", "chat_template", `{{ messages[-1].content }}${"x".repeat(100)}`);
  assert.match(rowOf("source")!, /x… \(whole with --json\)$/);
});

test("show tells of the model even if the settings fit no machine like this", () => {
  const settings = { JAI_WORKERS: "4", JAI_CONCURRENCY: "2" };
  const { status, stdout } = jai(["show"], settings);
  assert.equal(status, 0);
  assert.match(stdout, /^ +plan +JAI_CONCURRENCY: expected at least one for each of 4 workers, got 2$/m);
  assert.match(JSON.parse(jai(["show", "--json"], settings).stdout).plan.error, /^JAI_CONCURRENCY: /);
});

test("show takes JAI_MODEL, and says in one line what is wrong with a folder", async (context) => {
  const folder = scratch(context);
  const dir = await fixtureModel(join(folder, "m"), "int8");
  assert.match(jai(["show"], { JAI_MODEL: dir }).stdout, /^fixture$/m);
  assert.deepEqual(jai(["show", "nowhere"], { cwd: folder }), {
    status: 1,
    stdout: "",
    stderr: `model folder ${join(folder, "nowhere")}: expected a folder that \`jai import\` wrote, got nothing there\n`,
  });
  writeFileSync(join(dir, "onnx/model.onnx"), readFileSync(join(dir, "onnx/model.onnx")).subarray(0, 5000));
  const { status, stderr } = jai(["show", dir]);
  assert.equal(status, 1);
  assert.match(
    stderr,
    /model\.onnx: expected an ONNX graph, got a file that is cut off; import the model again\n$/,
  );
  assert.equal(jai(["show", "a", "b"]).status, 2);
  const { stderr: odd } = jai(["show", "a\nb\u001b[2J"], { cwd: folder });
  assert.match(odd, /^model folder .*\/a\\nb\\u\{1b\}\[2J: expected .*\n$/);
});

test("list says of a model whose graph was copied in part that it is broken", async (context) => {
  const folder = scratch(context);
  const graph = join(await fixtureModel(join(folder, "models/half"), "int8"), "onnx/model.onnx");
  writeFileSync(graph, readFileSync(graph).subarray(0, 5000));
  assert.match(
    jai(["list"], { cwd: folder }).stdout,
    /^broken: models\/half: .*expected an ONNX graph, got a file that is cut off; import the model again$/m,
  );
});

test("list finds the package's models, those of the current folder, and those beside JAI_MODEL, each once", async (context) => {
  const folder = scratch(context);
  const here = await fixtureModel(join(folder, "work/models/mine"), "fp32");
  const beside = join(folder, "elsewhere/other");
  cpSync(here, beside, { recursive: true });
  const broken = join(folder, "work/models/broken");
  cpSync(here, broken, { recursive: true });
  writeFileSync(join(broken, "config.json"), "{}");
  mkdirSync(join(folder, "work/models/no-model"));
  const environment = { cwd: join(folder, "work"), JAI_MODEL: beside };
  const { status, stdout, stderr } = jai(["list", "--json"], environment);
  assert.deepEqual([status, stderr], [0, ""]);
  const { models } = JSON.parse(stdout);
  const paths = models.map(({ path }: { path: string }) => path);
  assert.deepEqual(paths, [realpathSync(usual), realpathSync(english), broken, here, beside]);
  const [, , wrong, mine, other] = models;
  assert.match(wrong.broken, /config\.json: expected "jai" for model_type/);
  assert.deepEqual([mine.name, mine.precision, mine.context, mine.default], ["fixture", "fp32", 160, false]);
  assert.equal(other.default, true);
  const lines = jai(["list"], environment).stdout;
  assert.match(lines, /^NAME +SIZE +PRECISION +CONTEXT +PATH$/m);
  assert.match(lines, /^fixture +[\d.]+ KiB +fp32 +160 +models\/mine$/m);
  assert.match(lines, /^broken: models\/broken: config\.json: /m);
});
