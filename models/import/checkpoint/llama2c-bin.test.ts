import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { temporaryFile } from "../../fixtures/gpt.js";
import { ImportError } from "./error.js";
import { type OpenLlama2c, openLlama2c } from "./llama2c-bin.js";

/** dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len */
const SIZES = [8, 12, 2, 4, 2, 5, 3];

/** Every float is its own index, so that a tensor's values say where it was read. */
function file(sizes: readonly number[], floats: number): Buffer {
  const header = Buffer.alloc(28);
  sizes.forEach((size, index) => {
    header.writeInt32LE(size, 4 * index);
  });
  const data = Float32Array.from({ length: floats }, (_, index) => index);
  return Buffer.concat([header, Buffer.from(data.buffer)]);
}

const LAYER = 8 + 64 + 32 + 32 + 64 + 8 + 3 * 96;
const REST = 8 + 2 * 3 * 1;
const TIED = 40 + 2 * LAYER + REST;

async function load(t: TestContext, bytes: Buffer): Promise<OpenLlama2c> {
  const opened = await openLlama2c(await temporaryFile(t, bytes));
  t.after(() => opened.close());
  return opened;
}

async function first(opened: OpenLlama2c, name: string): Promise<number> {
  return (await opened.tensors.get(name)!.read())[0]!;
}

test("gives the tensors the names of a checkpoint, in the file's order", async (t) => {
  const opened = await load(t, file(SIZES, TIED));
  assert.deepEqual(opened.header, {
    dim: 8,
    hidden_dim: 12,
    n_layers: 2,
    n_heads: 4,
    n_kv_heads: 2,
    vocab_size: 5,
    max_seq_len: 3,
    tied: true,
  });
  const expected: [string, number[], number][] = [
    ["tok_embeddings.weight", [5, 8], 0],
    ["layers.0.attention_norm.weight", [8], 40],
    ["layers.1.attention_norm.weight", [8], 48],
    ["layers.0.attention.wq.weight", [8, 8], 56],
    ["layers.0.attention.wk.weight", [4, 8], 184],
    ["layers.1.attention.wv.weight", [4, 8], 280],
    ["layers.0.attention.wo.weight", [8, 8], 312],
    ["layers.0.ffn_norm.weight", [8], 440],
    ["layers.0.feed_forward.w1.weight", [12, 8], 456],
    ["layers.0.feed_forward.w2.weight", [8, 12], 648],
    ["layers.1.feed_forward.w3.weight", [12, 8], 936],
    ["norm.weight", [8], 1032],
  ];
  for (const [name, shape, start] of expected) {
    assert.deepEqual(opened.tensors.get(name)?.shape, shape, name);
    assert.equal(await first(opened, name), start, name);
  }
  assert.equal(opened.tensors.size, 2 + 2 * 9 + 1);
  assert(opened.tensors.get("output.weight")!.sameAs(opened.tensors.get("tok_embeddings.weight")!));
});

test("a negative vocab_size says that the head follows", async (t) => {
  const opened = await load(t, file([...SIZES.slice(0, 5), -5, 3], TIED + 40));
  assert.equal(opened.header.tied, false);
  assert.equal(opened.header.vocab_size, 5);
  assert.equal(await first(opened, "output.weight"), TIED);
});

test("refuses a file of another size than its header says, and sizes that no model has", async (t) => {
  const refuses = async (bytes: Buffer, message: RegExp) =>
    assert.rejects(openLlama2c(await temporaryFile(t, bytes)), (error) => {
      assert(error instanceof ImportError);
      assert.match(error.message, message);
      return true;
    });
  await refuses(file(SIZES, TIED - 1), new RegExp(`with the ${28 + 4 * TIED} bytes .*; is it truncated\\?$`));
  await refuses(file(SIZES, TIED + 1), /of its header's sizes, got/);
  for (const [index, size] of [
    [0, 0],
    [0, 9],
    [1, -1],
    [2, 2 ** 30],
    [3, 3],
    [4, 3],
    [6, 2 ** 31 - 1],
  ] as const)
    await refuses(file(SIZES.with(index, size), TIED), /expected llama2\.c's version-0 \.bin/);
});
