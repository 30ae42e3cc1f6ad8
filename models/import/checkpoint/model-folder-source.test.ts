import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { type TestContext, test } from "node:test";
import { ImportError } from "./error.js";
import { type ModelFolderSource, readModelFolderSource } from "./model-folder-source.js";

type Files = Record<string, string>;

/** A folder with these files; only the names matter, where no content is given. */
async function folder(t: TestContext, files: Files | readonly string[]): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "jai-source-"));
  t.after(() => rm(path, { recursive: true }));
  const all: [string, string][] = isList(files) ? files.map((name) => [name, ""]) : Object.entries(files);
  for (const [name, content] of all) await writeFile(join(path, name), content);
  return path;
}

function isList(files: Files | readonly string[]): files is readonly string[] {
  return Array.isArray(files);
}

async function source(t: TestContext, files: Files | readonly string[]): Promise<ModelFolderSource> {
  return readModelFolderSource(await folder(t, files));
}

async function refuses(work: () => unknown, message: RegExp): Promise<void> {
  await assert.rejects(
    async () => work(),
    (error) => {
      assert(error instanceof ImportError, (error as Error).stack);
      assert(!error.message.includes("\n"));
      assert.match(error.message, message);
      return true;
    },
  );
}

for (const [names, expected] of [
  [["ckpt.pt"], "ckpt.pt"],
  [["lit_model.pth", "model_config.yaml"], "lit_model.pth"],
  [["model.safetensors", "pytorch_model.bin", "training_args.bin", "optimizer.pt"], "model.safetensors"],
  [
    ["model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
    "model.safetensors.index.json",
  ],
  [["pytorch_model.bin.index.json", "pytorch_model-00001-of-00001.bin"], "pytorch_model.bin.index.json"],
  [["ckpt.pt", "model.bin", "tok512.bin", "train.bin", "val.bin"], "ckpt.pt"],
  [["model_000650.pt", "optim_000650.pt", "meta_000650.json"], "model_000650.pt"],
  [["last.ckpt", "rng_state.pth", "scheduler.pt"], "last.ckpt"],
] as const)
  test(`finds ${expected} among ${names.length} files`, async (t) => {
    const { folder, weights } = await source(t, names);
    assert.equal(relative(folder, weights), expected);
  });

test("asks which of several checkpoints is meant", async (t) => {
  await refuses(
    () => source(t, ["model_1.pt", "model_2.pt"]),
    /expected one checkpoint, got 2: model_1\.pt, model_2\.pt; name the one to import, such as .*model_2\.pt$/,
  );
  const many = Array.from({ length: 9 }, (_, index) => `${index}.pt`);
  await refuses(() => source(t, many), /got 9: 0\.pt, 1\.pt, 2\.pt, 3\.pt, 4\.pt, …; name/);
});

test("says what is missing", async (t) => {
  await refuses(
    () => source(t, []),
    /expected a checkpoint \(.*\) in the folder, got none; name the checkpoint, or .*$/,
  );
  await refuses(
    () => source(t, ["config.json", "self_test.json"]),
    /expected a checkpoint, got a model folder that `jai import` wrote; serve it with `jai serve --model`$/,
  );
  await refuses(() => source(t, ["adapter_model.safetensors"]), /only the adapter .* merge it/);
  await refuses(() => source(t, ["model-00001-of-00002.safetensors"]), /expected a model's index/);
  await refuses(() => readModelFolderSource("/nowhere/at-all"), /no such file or folder$/);
});

test("a named checkpoint is taken whatever lies beside it, but not a part of a model", async (t) => {
  const path = await folder(t, ["a.pt", "b.pt", "meta.pkl", "model-00001-of-00002.safetensors"]);
  const found = await readModelFolderSource(join(path, "b.pt"));
  assert.equal(found.weights, join(path, "b.pt"));
  assert.deepEqual(found.tokenizer(), { kind: "meta.pkl", file: join(path, "meta.pkl") });
  await refuses(
    () => readModelFolderSource(join(path, "model-00001-of-00002.safetensors")),
    /got one part of it; name the folder or the index instead$/,
  );
});

test("a link counts as a file, and a folder doesn't", async (t) => {
  const blobs = await folder(t, ["blob"]);
  const path = await folder(t, []);
  await symlink(join(blobs, "blob"), join(path, "model.safetensors"));
  await mkdir(join(path, "runs.pt"));
  assert.equal((await readModelFolderSource(path)).weights, join(path, "model.safetensors"));
});

test("reads the sizes from config.json, model_config.yaml, or the weights' own meta file", async (t) => {
  const config = async (files: Files) => (await source(t, { "model_7.pt": "", ...files })).config();
  const json = await config({ "config.json": '{"n_head": 4, "rope": {"theta": 1e4}, "eos": [1, 2]}' });
  assert.equal(json?.name, "config.json");
  assert.deepEqual(
    [...json!.values],
    [
      ["n_head", 4],
      ["rope", new Map([["theta", 10000]])],
      ["eos", [1, 2]],
    ],
  );
  const setup = await config({ "config.json": '{"system": {}, "model": {"n_layer": 2}}' });
  assert.deepEqual([setup?.name, setup?.values.get("n_layer")], ["config.json's model", 2]);
  const yaml = await config({ "model_config.yaml": "bias: false\nnorm_eps: 1.0e-05\nrope: null\n" });
  assert.deepEqual(
    [...yaml!.values],
    [
      ["bias", false],
      ["norm_eps", 1e-5],
      ["rope", null],
    ],
  );
  const meta = (n: number) => JSON.stringify({ model_config: { n_layer: n } });
  const own = await config({ "meta_6.json": meta(6), "meta_7.json": meta(7) });
  assert.deepEqual([own?.name, own?.values.get("n_layer")], ["meta_7.json's model_config", 7]);
  assert.equal(await config({}), undefined);
  await refuses(
    () => config({ "meta_5.json": meta(5), "meta_6.json": meta(6) }),
    /expected one meta_STEP\.json/,
  );
});

test("refuses a configuration that is none, and only when it is asked for", async (t) => {
  const bad = async (files: Files) => (await source(t, { "ckpt.pt": "", ...files })).config();
  await refuses(() => bad({ "config.json": "{" }), /config\.json: expected JSON/);
  await refuses(() => bad({ "config.json": "[1]" }), /expected a JSON object, got a list$/);
  await refuses(() => bad({ "config.json": `{"a":${"[".repeat(100)}` }), /nested deeper than 64/);
  await refuses(() => bad({ "meta_1.json": "{}" }), /expected an object "model_config"/);
  await refuses(() => bad({ "model_config.yaml": "a: [1" }), /model_config\.yaml: expected YAML/);
  await refuses(() => bad({ "model_config.yaml": "7" }), /expected fields, such as n_layer: 2$/);
  await refuses(() => bad({ "model_config.yaml": "a: &x 1\nb: [*x, *x, *x]" }), /expected plain YAML/);
});

test("reads what else describes a model, where it is there", async (t) => {
  const found = await source(t, {
    "model.safetensors": "",
    "generation_config.json": '{"eos_token_id": 2}',
    "tokenizer_config.json": '{"add_bos_token": true}',
    "chat_template.jinja": "",
    "added_tokens.json": "{}",
  });
  assert.deepEqual(await found.generationConfig(), { eos_token_id: 2 });
  assert.deepEqual(await found.tokenizerConfig(), { add_bos_token: true });
  assert.equal(found.chatTemplate, join(found.folder, "chat_template.jinja"));
  assert.equal(found.path("added_tokens.json"), join(found.folder, "added_tokens.json"));
  assert.equal(found.path("merges.txt"), undefined);
  assert.equal(await (await source(t, ["a.pt"])).generationConfig(), undefined);
});

for (const [names, expected] of [
  [["tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt"], "tokenizer.json"],
  [["tokenizer.model", "tok512.model"], "sentencepiece tokenizer.model"],
  [["tok512.model", "tok512.bin", "tok512.vocab"], "sentencepiece tok512.model"],
  [["gpt2.tiktoken", "encoder.json", "vocab.bpe"], "tiktoken gpt2.tiktoken"],
  [["vocab.json", "merges.txt"], "merges vocab.json merges.txt"],
  [["encoder.json", "vocab.bpe"], "merges encoder.json vocab.bpe"],
  [["vocab.json", "input.txt"], "text input.txt"],
  [["tokenizer.pkl", "meta.pkl"], "tokenizer.pkl"],
  [["meta.pkl", "input.txt"], "meta.pkl"],
] as const)
  test(`takes the tokenizer ${expected} among ${names.join(", ")}`, async (t) => {
    const found = await source(t, ["ckpt.pt", ...names]);
    const { kind, ...files } = found.tokenizer();
    const shown = Object.values(files).map((file) => relative(found.folder, file));
    assert.deepEqual([...new Set([kind, ...shown])].join(" "), expected);
  });

test("says which tokenizers there are, or that there is none", async (t) => {
  const two = await source(t, ["ckpt.pt", "tok1.model", "tok2.model"]);
  await refuses(
    () => two.tokenizer(),
    /expected one tokenizer, got tok1\.model and tok2\.model; choose with/,
  );
  const none = await source(t, ["ckpt.pt"]);
  await refuses(
    () => none.tokenizer(),
    /expected a tokenizer \(.*\), got none; name it with --tokenizer FILE$/,
  );
});
