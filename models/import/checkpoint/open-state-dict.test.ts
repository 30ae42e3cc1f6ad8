import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { checkpoint, FakeState, type FakeTensor, tensor } from "../../fixtures/checkpoint-writer.js";
import { safetensors } from "../../fixtures/safetensors-writer.js";
import { ImportError } from "./error.js";
import { type OpenedStateDict, openStateDict } from "./open-state-dict.js";

const one = (value: number) => tensor("float32", [1], [value]);

/** Writes the files into a folder of their own, and gives the path of the first. */
async function write(t: TestContext, files: Record<string, string | Buffer>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "jai-state-"));
  t.after(() => rm(folder, { recursive: true }));
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return join(folder, Object.keys(files)[0]!);
}

async function open(t: TestContext, files: Record<string, string | Buffer>): Promise<OpenedStateDict> {
  const opened = await openStateDict(await write(t, files));
  t.after(() => opened.close());
  return opened;
}

async function refuses(t: TestContext, files: Record<string, string | Buffer>, message: RegExp) {
  await assert.rejects(openStateDict(await write(t, files)), (error) => {
    assert(error instanceof ImportError);
    assert(!error.message.includes("\n"));
    assert.match(error.message, message);
    return true;
  });
}

const state = (entries: [string, FakeTensor][]) => new FakeState(new Map(entries));
const index = (map: unknown) => JSON.stringify({ metadata: { total_size: 8 }, weight_map: map });

test("tells a PyTorch checkpoint by its contents, whatever its name", async (t) => {
  const root = { model: state([["module._orig_mod.a.weight", one(3)]]), model_args: { n_head: 2 } };
  const opened = await open(t, { "model.safetensors": checkpoint(root) });
  assert.equal(opened.form, 'a PyTorch checkpoint, its "model"');
  assert.deepEqual([...opened.tensors.keys()], ["a.weight"]);
  assert.equal(opened.config?.name, "model_args");
  assert.equal(opened.config?.values.get("n_head"), 2);
});

test("tells a safetensors file by its contents, and takes wrappers' prefixes off", async (t) => {
  const bytes = safetensors([["_orig_mod.module.x.weight", one(4)]]);
  const opened = await open(t, { "ckpt.pt": bytes });
  assert.equal(opened.form, "a safetensors file");
  assert.deepEqual([...(await opened.tensors.get("x.weight")!.read())], [4]);
});

test("says what all names begin with, up to a dot", async (t) => {
  const names = async (...all: string[]) =>
    (await open(t, { a: checkpoint({ state_dict: state(all.map((name) => [name, one(1)])) }) })).prefix;
  assert.equal(await names("model.a", "model.b.weight"), "model.");
  assert.equal(await names("net.model.a", "net.model.b"), "net.model.");
  assert.equal(await names("model.a", "modelb.c"), "");
  assert.equal(await names("a", "b"), "");
});

test("takes the prefix of a single compiled layer off, too", async (t) => {
  const opened = await open(t, { a: checkpoint({ model: state([["h.0._orig_mod.w", one(1)]]) }) });
  assert.deepEqual([...opened.tensors.keys()], ["h.0.w"]);
});

test("finds a state dict in dicts within dicts, with the configuration nearest to it", async (t) => {
  const inner = { model: state([["w", one(1)]]), config: { n_head: 8 } };
  const opened = await open(t, { a: checkpoint({ run: { best: inner }, config: { n_head: 4 } }) });
  assert.equal(opened.form, 'a PyTorch checkpoint, its "run.best.model"');
  assert.equal(opened.config?.values.get("n_head"), 8);
});

test("a configuration within what Lightning keeps goes first", async (t) => {
  const root = {
    state_dict: state([["model.w", one(1)]]),
    hyper_parameters: { lr: 0.1, config: { n_head: 6 } },
  };
  const opened = await open(t, { a: checkpoint(root) });
  assert.equal(opened.config?.name, "hyper_parameters.config");
  assert.equal(opened.config?.values.get("n_head"), 6);
});

for (const kind of ["safetensors", "bin"] as const)
  test(`opens a model in several .${kind} files by its index`, async (t) => {
    const shard = (name: string, value: number) =>
      kind === "bin" ? checkpoint(state([[name, one(value)]])) : safetensors([[name, one(value)]]);
    const opened = await open(t, {
      [`model.${kind}.index.json`]: index({ "a.w": `1.${kind}`, "b.w": `2.${kind}` }),
      [`1.${kind}`]: shard("a.w", 1),
      [`2.${kind}`]: shard("b.w", 2),
    });
    assert.equal(opened.form, "a model in 2 files");
    assert.deepEqual([...(await opened.tensors.get("b.w")!.read())], [2]);
  });

for (const path of ["../other.safetensors", "/etc/passwd", "sub/1", "sub\\1", "C:1", "..", "", "a\0b"])
  test(`refuses ${JSON.stringify(path)} in an index`, async (t) => {
    await refuses(t, { "x.index.json": index({ a: path }) }, /the name of a file beside the index/);
  });

test("refuses an index that doesn't fit its files", async (t) => {
  const a = safetensors([["a", one(1)]]);
  const list = (map: unknown) => ({ "x.index.json": index(map) });
  await refuses(
    t,
    { ...list({ a: "s1", b: "s1" }), s1: a },
    /the tensor "b" is missing, which the index says/,
  );
  await refuses(t, { ...list({ a: "s1", b: "s2" }), s1: a, s2: a }, /the tensor "a" is in another file, too/);
  await refuses(t, { ...list({ b: "s1" }), s1: a }, /unexpected tensor "a", which isn't in the index$/);
  await refuses(t, list({ a: "s1" }), /s1: no such file$/);
  await refuses(t, list({ a: "x.index.json" }), /x\.index\.json: expected a PyTorch checkpoint, .* text$/);
  await refuses(t, list({}), /expected 1 to 200 files in weight_map, got 0$/);
  await refuses(t, list({ a: 7 }), /the tensor "a", got a number$/);
  await refuses(t, { "config.json": '{"n_head": 4}' }, /index of a sharded model, with "weight_map"/);
  await refuses(t, { "x.json": `{"a":${"[".repeat(1000)}` }, /it is nested deeper than 64/);
});

test("says what a file is that has none of the forms", async (t) => {
  const kinds: [Buffer | string, RegExp][] = [
    ["", /got an empty file$/],
    ["hello", /got what looks like text$/],
    [
      Buffer.from("\x80\x02\x8a\nl\xfc\x9cF", "latin1"),
      /before 1\.6; .*torch\.save\(model\.state_dict\(\), "model\.pt"\)$/,
    ],
    [
      Buffer.concat([Buffer.alloc(257, "a"), Buffer.from("ustar")]),
      /a tar archive, .*torch\.save\(model\.state_dict\(\)/,
    ],
    [Buffer.from("24ka\x01\0\0\0"), /a newer \.bin of llama2\.c/],
    ["version https://git-lfs.github.com/spec/v1\noid sha256:0\n", /pointer of Git LFS/],
    [Buffer.from("\x89HDF\r\n\x1a\n", "latin1"), /an HDF5 file/],
  ];
  for (const [bytes, message] of kinds) await refuses(t, { "model.pt": bytes }, message);
});
