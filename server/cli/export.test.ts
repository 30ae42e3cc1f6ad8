import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { GPT } from "../../models/architecture.js";
import { readGguf } from "../../models/fixtures/gguf-reader.js";
import { FIXTURE_SIZES, randomWeights, writeFixtureModel } from "../../models/fixtures/model.js";

const cli = fileURLToPath(new URL("../cli.js", import.meta.url));

async function setUp(t: TestContext, activation: "gelu" | "gelu_tanh") {
  const folder = mkdtempSync(join(tmpdir(), "jai-cli-export-"));
  t.after(() => rmSync(folder, { recursive: true }));
  await writeFixtureModel(
    join(folder, "model"),
    "fp32",
    randomWeights(FIXTURE_SIZES, 1, 2, { ...GPT, activation }),
  );
  const jai = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [cli, "export", ...args], {
      encoding: "utf8",
      cwd: folder,
      env: { PATH: process.env.PATH },
    });
    return { status, stdout, stderr };
  };
  return { folder, jai };
}

test("export writes a file for llama.cpp, and says what it is", async (t) => {
  const { folder, jai } = await setUp(t, "gelu_tanh");
  const { status, stdout, stderr } = jai("gguf", "model", "--out", "a.gguf", "--type", "f16");
  assert.deepEqual([status, stderr], [0, ""]);
  assert.match(
    stdout,
    new RegExp(
      [
        "^llama\\.cpp's architecture gpt2: 29 tensors, \\d+\\.\\d KiB",
        "written to a\\.gguf",
        "run it: llama-server --model a\\.gguf\n$",
      ].join("\n"),
    ),
  );
  assert.equal(readGguf(readFileSync(join(folder, "a.gguf"))).metadata["general.name"], "fixture");
});

test("what llama.cpp computes otherwise is one line and exit status 1, and --approximate notes it", async (t) => {
  const { folder, jai } = await setUp(t, "gelu");
  const { status, stdout, stderr } = jai("gguf", "model", "--out", "a.gguf");
  assert.deepEqual([status, stdout], [1, ""]);
  assert.match(stderr, /^model: expected a model that llama\.cpp computes exactly, got exact GELU[^\n]*\n$/);
  assert.deepEqual(readdirSync(folder), ["model"]);
  const near = jai("gguf", "model", "--out", "a.gguf", "--approximate");
  assert.equal(near.status, 0, near.stderr);
  assert.match(near.stdout, /^note: exact GELU, which llama\.cpp replaces by its approximation by tanh$/m);
});

test("wrong usage is exit status 2", async (t) => {
  const { jai } = await setUp(t, "gelu");
  for (const [args, message] of [
    [[], /^jai export: expected the format gguf, got none; see jai export --help\n$/],
    [["onnx", "model"], /expected the format gguf, got onnx/],
    [["gguf"], /expected a model folder, got none/],
    [["gguf", "model"], /expected --out FILE\.gguf, got none/],
    [["gguf", "model", "--out", "x", "--type", "q4"], /--type: expected f32 or f16 or q8_0, got "?q4"?/],
    [["gguf", "a", "b", "--out", "x"], /expected one model folder, got 2/],
  ] as const) {
    const { status, stderr } = jai(...args);
    assert.equal(status, 2, stderr);
    assert.match(stderr, message);
  }
});
