import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Architecture, GPT } from "../architecture.js";
import { type ReadGguf, readGguf } from "../fixtures/gguf-reader.js";
import { FIXTURE_SIZES, randomWeights, writeFixtureModel } from "../fixtures/model.js";
import type { Linear, ModelWeights, Sizes, WeightSource } from "../import/weights.js";
import { type ExportOptions, exportGguf } from "./index.js";

const TANH: Architecture = { ...GPT, activation: "gelu_tanh" };
const rotary = { dim: 16, theta: 10_000, scaling: null, precision: "float32" } as const;
const NEOX: Architecture = { ...TANH, rotary: { ...rotary, dim: 8 }, parallel_residual: true };
const LLAMA: Architecture = { ...GPT, norm: "rmsnorm", activation: "silu", gated_mlp: true, rotary };
const QWEN3: Architecture = { ...LLAMA, qk_norm: "before_rotation" };
const SHARED: Sizes = { ...FIXTURE_SIZES, heads: 4, kvHeads: 2, width: 40, hidden: 96 };

/** The same without the biases of the linear layers that are named. */
function without(weights: ModelWeights, ...names: ("qkv" | "proj" | "fc" | "mlpProj")[]): ModelWeights {
  const bare = (linear: Linear): Linear => ({ ...linear, bias: null });
  return {
    ...weights,
    layers: weights.layers.map((layer) => ({
      ...layer,
      ...Object.fromEntries(names.map((name) => [name, bare(layer[name])])),
    })),
  };
}

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "jai-export-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

async function exported(
  t: TestContext,
  weights: ModelWeights,
  options: Partial<ExportOptions> & { precision?: "int8" | "fp32" } = {},
) {
  const folder = scratch(t);
  const { precision = "fp32", ...rest } = options;
  await writeFixtureModel(join(folder, "model"), precision, weights);
  const out = join(folder, "model.gguf");
  const asked = { model: join(folder, "model"), out, type: "f32" as const, approximate: false, ...rest };
  const result = await exportGguf(asked);
  assert.deepEqual(readdirSync(folder).sort(), ["model", "model.gguf"]);
  return { ...result, ...readGguf(readFileSync(out)) };
}

/** Matrices as lists of rows; a vector has rows of one. */
async function rowsOf(source: WeightSource | null): Promise<number[][]> {
  if (source === null) return [];
  const values = [...(await source.read())];
  const columns = source.shape[1] ?? 1;
  return Array.from({ length: source.shape[0]! }, (_, row) =>
    values.slice(row * columns, (row + 1) * columns),
  );
}

/** As Meta writes rotary heads: the pair (i, i + D / 2) becomes the rows 2i and 2i + 1. */
function interleaved(rows: number[][], headDim: number): number[][] {
  const out: number[][] = [];
  for (const [row, values] of rows.entries()) {
    const head = row - (row % headDim);
    const i = row % headDim;
    const half = headDim / 2;
    out[head + (i < half ? 2 * i : 2 * (i - half) + 1)] = values;
  }
  return out;
}

class Expectation {
  readonly #file: ReadGguf;
  readonly #tolerance: number;
  readonly #seen = new Set<string>();

  constructor(file: ReadGguf, tolerance = 2e-7) {
    this.#file = file;
    this.#tolerance = tolerance;
  }

  rows(name: string, expected: number[][]): void {
    const tensor = this.#file.tensors.get(name);
    assert.ok(tensor, `expected a tensor ${name}`);
    this.#seen.add(name);
    const shape = [expected.length, expected[0]!.length];
    assert.deepEqual(tensor.shape, shape[1] === 1 ? shape.slice(0, 1) : shape, name);
    const flat = expected.flat();
    const most = Math.max(...flat.map(Math.abs));
    const off = flat.findIndex(
      (value, i) => !(Math.abs(value - tensor.values[i]!) <= this.#tolerance * most),
    );
    assert.equal(off, -1, `${name}: expected ${flat[off]} at ${off}, got ${tensor.values[off]}`);
  }

  constant(name: string, length: number, value: number): void {
    this.rows(
      name,
      Array.from({ length }, () => [value]),
    );
  }

  /** Every tensor was looked at. */
  done(): void {
    assert.deepEqual(
      [...this.#file.tensors.keys()].filter((name) => !this.#seen.has(name)),
      [],
    );
  }
}

async function expectFused(file: ReadGguf, weights: ModelWeights, tolerance?: number): Promise<void> {
  const expect = new Expectation(file, tolerance);
  const part = async (
    name: string,
    { weight, bias }: { weight: WeightSource | null; bias: WeightSource | null },
  ) => {
    expect.rows(`${name}.weight`, await rowsOf(weight));
    if (bias) expect.rows(`${name}.bias`, await rowsOf(bias));
    else expect.constant(`${name}.bias`, weight!.shape[0]!, 0);
  };
  expect.rows("token_embd.weight", await rowsOf(weights.tokens));
  if (weights.positions) expect.rows("position_embd.weight", await rowsOf(weights.positions));
  for (const [i, layer] of weights.layers.entries()) {
    await part(`blk.${i}.attn_norm`, layer.ln1);
    await part(`blk.${i}.attn_qkv`, layer.qkv);
    await part(`blk.${i}.attn_output`, layer.proj);
    await part(`blk.${i}.ffn_norm`, layer.ln2);
    await part(`blk.${i}.ffn_up`, layer.fc);
    await part(`blk.${i}.ffn_down`, layer.mlpProj);
  }
  await part("output_norm", weights.finalNorm);
  expect.rows("output.weight", await rowsOf(weights.head.weight));
  expect.done();
}

async function expectSplit(
  file: ReadGguf,
  weights: ModelWeights,
  isInterleaved: boolean,
  more: string[] = [],
) {
  const expect = new Expectation(file);
  const { heads, kvHeads, headDim, hidden } = weights.sizes;
  const turned = (rows: number[][]) => (isInterleaved ? interleaved(rows, headDim) : rows);
  const [q, k] = [heads * headDim, kvHeads * headDim];
  expect.rows("token_embd.weight", await rowsOf(weights.tokens));
  for (const [i, layer] of weights.layers.entries()) {
    const name = `blk.${i}`;
    expect.rows(`${name}.attn_norm.weight`, await rowsOf(layer.ln1.weight));
    for (const kind of ["weight", "bias"] as const) {
      const linear = async (part: string, from: Linear, pick = (rows: number[][]) => rows) => {
        const rows = await rowsOf(from[kind]);
        if (rows.length > 0) expect.rows(`${name}.${part}.${kind}`, pick(rows));
      };
      await linear("attn_q", layer.qkv, (rows) => turned(rows.slice(0, q)));
      await linear("attn_k", layer.qkv, (rows) => turned(rows.slice(q, q + k)));
      await linear("attn_v", layer.qkv, (rows) => rows.slice(q + k));
      await linear("attn_output", layer.proj);
      await linear("ffn_gate", layer.fc, (rows) => rows.slice(0, hidden));
      await linear("ffn_up", layer.fc, (rows) => rows.slice(hidden));
      await linear("ffn_down", layer.mlpProj);
    }
    if (layer.qNorm) expect.rows(`${name}.attn_q_norm.weight`, await rowsOf(layer.qNorm.weight));
    if (layer.kNorm) expect.rows(`${name}.attn_k_norm.weight`, await rowsOf(layer.kNorm.weight));
    expect.rows(`${name}.ffn_norm.weight`, await rowsOf(layer.ln2.weight));
  }
  expect.rows("output_norm.weight", await rowsOf(weights.finalNorm.weight));
  expect.rows("output.weight", await rowsOf(weights.head.weight));
  for (const name of more)
    expect.rows(
      name,
      file.tensors.get(name)!.values.map((value) => [value]),
    );
  expect.done();
}

test("a GPT-2 has llama.cpp's names, and zeros where it has no biases", async (t) => {
  const weights = without(randomWeights(FIXTURE_SIZES, 3, 2, TANH), "qkv", "fc");
  const { architecture, notes, ...file } = await exported(t, weights);
  assert.deepEqual([architecture, notes], ["gpt2", []]);
  await expectFused(file, weights);
  const { metadata } = file;
  assert.equal(metadata["general.architecture"], "gpt2");
  assert.equal(metadata["gpt2.context_length"], FIXTURE_SIZES.context);
  assert.equal(metadata["gpt2.attention.head_count"], FIXTURE_SIZES.heads);
  assert.equal(metadata["gpt2.feed_forward_length"], FIXTURE_SIZES.hidden);
  assert.equal(metadata["gpt2.attention.layer_norm_epsilon"], Math.fround(1e-5));
});

test("a GPT-NeoX keeps its halves, its parallel residual, and how much of a head is turned", async (t) => {
  for (const parallel_residual of [true, false]) {
    const weights = randomWeights(FIXTURE_SIZES, 4, 2, { ...NEOX, parallel_residual });
    const { architecture, ...file } = await exported(t, weights);
    assert.equal(architecture, "gptneox");
    await expectFused(file, weights);
    assert.equal(file.metadata["gptneox.use_parallel_residual"], parallel_residual);
    assert.equal(file.metadata["gptneox.rope.dimension_count"], 8);
  }
});

test("a Llama's queries and keys are turned in pairs side by side, whatever its heads share", async (t) => {
  for (const sizes of [SHARED, { ...SHARED, kvHeads: 4 }, { ...SHARED, kvHeads: 1 }]) {
    const weights = randomWeights(sizes, 5, 2, { ...LLAMA, rotary: { ...rotary, theta: 500_000 } });
    const { architecture, ...file } = await exported(t, weights);
    assert.equal(architecture, "llama");
    await expectSplit(file, weights, true);
    assert.equal(file.metadata["llama.attention.head_count_kv"], sizes.kvHeads);
    assert.equal(file.metadata["llama.attention.key_length"], 16);
    assert.equal(file.metadata["llama.rope.freq_base"], 500_000);
  }
});

test("scaled angles are a factor, or one for each", async (t) => {
  const linear = { ...rotary, scaling: { type: "linear", factor: 4 } as const };
  const { metadata } = await exported(t, randomWeights(SHARED, 6, 2, { ...LLAMA, rotary: linear }));
  assert.deepEqual(
    [metadata["llama.rope.scaling.type"], metadata["llama.rope.scaling.factor"]],
    ["linear", 4],
  );
  const scaling = {
    ...({ type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4 } as const),
    original_max_position_embeddings: 64,
  };
  const weights = without(
    randomWeights(SHARED, 7, 2, { ...LLAMA, rotary: { ...rotary, scaling } }),
    "proj",
    "fc",
    "mlpProj",
  );
  const { architecture, ...file } = await exported(t, weights);
  assert.equal(architecture, "llama");
  await expectSplit(file, weights, true, ["rope_freqs.weight"]);
  const factors = file.tensors.get("rope_freqs.weight")!.values;
  // Quick angles stay, slow ones are divided by the factor.
  assert.deepEqual([factors.length, factors[0], factors.at(-1)], [8, 1, 8]);
  assert.ok(factors.some((factor) => factor > 1 && factor < 8));
});

test("a Qwen2 has biases of queries, keys and values, and a Qwen3 norms of heads", async (t) => {
  const qwen2 = without(randomWeights(SHARED, 8, 2, LLAMA), "proj", "fc", "mlpProj");
  const second = await exported(t, qwen2);
  assert.equal(second.architecture, "qwen2");
  await expectSplit(second, qwen2, false);
  const qwen3 = without(randomWeights(SHARED, 9, 2, QWEN3), "qkv", "proj", "fc", "mlpProj");
  const third = await exported(t, qwen3);
  assert.equal(third.architecture, "qwen3");
  await expectSplit(third, qwen3, false);
});

test("a head that is the token table is written once", async (t) => {
  const weights = randomWeights(FIXTURE_SIZES, 10, 2, TANH);
  const { tensors } = await exported(t, {
    ...weights,
    head: { weight: weights.tokens, bias: null },
    tied: true,
  });
  assert.ok(tensors.has("token_embd.weight") && !tensors.has("output.weight"));
});

test("matrices may be float16 or Q8_0, whose rows of other lengths are float16", async (t) => {
  const weights = randomWeights(FIXTURE_SIZES, 11, 2, TANH);
  const half = await exported(t, weights, { type: "f16" });
  await expectFused(half, weights, 2 ** -11);
  assert.equal(half.tensors.get("blk.0.ffn_up.weight")!.type, "f16");
  assert.equal(half.tensors.get("blk.0.ffn_up.bias")!.type, "f32");
  assert.equal(half.metadata["general.file_type"], 1);
  const eighth = await exported(t, weights, { type: "q8_0" });
  await expectFused(eighth, weights, 1 / 220);
  assert.equal(eighth.tensors.get("blk.0.ffn_up.weight")!.type, "q8_0");
  const odd = without(randomWeights({ ...SHARED, width: 40 }, 12, 2, LLAMA), "qkv", "proj", "fc", "mlpProj");
  const { tensors } = await exported(t, odd, { type: "q8_0" });
  const types = ["attn_q", "ffn_down"].map((part) => tensors.get(`blk.0.${part}.weight`)!.type);
  assert.deepEqual(types, ["f16", "q8_0"], "rows of 40 and of 96 values");
});

test("an int8 folder's weights are its integers times their scales", async (t) => {
  const weights = randomWeights(SHARED, 13, 2, LLAMA);
  const { tensors, notes } = await exported(t, weights, { precision: "int8" });
  assert.match(notes.join(), /the folder is int8, so the weights are the rounded ones/);
  // Import moves factors from a matrix to the norm before it; together they are what they were.
  const norm = tensors.get("blk.1.attn_norm.weight")!.values;
  const { heads, headDim, width } = SHARED;
  const matrix = tensors.get("blk.1.attn_q.weight")!.values.map((value, i) => value * norm[i % width]!);
  const originals = await rowsOf(weights.layers[1]!.ln1.weight);
  const expected = interleaved(
    (await rowsOf(weights.layers[1]!.qkv.weight)).slice(0, heads * headDim),
    headDim,
  ).flatMap((row) => row.map((value, column) => value * originals[column]![0]!));
  const most = Math.max(...expected.map(Math.abs));
  const worst = Math.max(...matrix.map((value, i) => Math.abs(value - expected[i]!)));
  assert.ok(worst > 0 && worst < most / 50, `${worst} of ${most}`);
});

const refusals: [string, ModelWeights, RegExp][] = [
  [
    "exact GELU",
    randomWeights(),
    /expected a model that llama\.cpp computes exactly, got exact GELU, which llama\.cpp replaces by its approximation by tanh; --approximate exports it all the same$/,
  ],
  [
    "relu2",
    randomWeights(FIXTURE_SIZES, 1, 2, { ...GPT, activation: "relu2" }),
    /got relu2 as its activation$/,
  ],
  [
    "softcap and windows",
    randomWeights(SHARED, 1, 2, { ...LLAMA, final_logit_softcapping: 15, sliding_window: [40, null] }),
    /got windows by layer, and a softcap of the logits$/,
  ],
  [
    "norm of embeddings",
    randomWeights(SHARED, 1, 2, { ...LLAMA, embedding_norm: true }),
    /got a norm of the embeddings$/,
  ],
  [
    "bfloat16 tables",
    randomWeights(SHARED, 1, 2, { ...LLAMA, rotary: { ...rotary, precision: "bfloat16" } }),
    /got bfloat16 rotary tables, which llama\.cpp has in float32; --approximate/,
  ],
  [
    "part of a head",
    randomWeights(SHARED, 1, 2, { ...LLAMA, rotary: { ...rotary, dim: 8 } }),
    /got heads that are turned in part beside RMSNorm$/,
  ],
  [
    "qk_norm after",
    without(
      randomWeights(SHARED, 1, 2, { ...QWEN3, qk_norm: "after_rotation" }),
      "qkv",
      "proj",
      "fc",
      "mlpProj",
    ),
    /got qk_norm after the rotation$/,
  ],
  ["biases beside qk_norm", randomWeights(SHARED, 1, 2, QWEN3), /got biases beside qk_norm$/],
  [
    "no gate",
    randomWeights(SHARED, 1, 2, { ...LLAMA, gated_mlp: false }),
    /got an MLP without a gate beside RMSNorm$/,
  ],
  [
    "gated LayerNorm",
    randomWeights(FIXTURE_SIZES, 1, 2, { ...TANH, gated_mlp: true }),
    /got a gated MLP beside LayerNorm$/,
  ],
  [
    "parallel Llama",
    randomWeights(SHARED, 1, 2, { ...LLAMA, parallel_residual: true }),
    /got a parallel residual beside RMSNorm$/,
  ],
];
for (const [name, weights, message] of refusals)
  test(`what llama.cpp computes otherwise is refused by name: ${name}`, async (t) => {
    const folder = scratch(t);
    await writeFixtureModel(join(folder, "model"), "fp32", weights);
    const options = { model: join(folder, "model"), out: join(folder, "x.gguf"), type: "f32" as const };
    await assert.rejects(exportGguf({ ...options, approximate: false }), (error: Error) => {
      assert.equal(error.name, "ModelError", error.stack);
      assert.match(error.message, message);
      assert.ok(error.message.startsWith(`${options.model}: `) && !error.message.includes("\n"));
      return true;
    });
    assert.deepEqual(readdirSync(folder), ["model"]);
    if (message.source.includes("--approximate")) {
      const { notes } = await exportGguf({ ...options, approximate: true });
      assert.equal(notes.length, 1);
    }
  });

test("what is in the way, and a disk that can't be written, are one line, and leave nothing", async (t) => {
  const folder = scratch(t);
  await writeFixtureModel(join(folder, "model"), "fp32", randomWeights(FIXTURE_SIZES, 1, 2, TANH));
  writeFileSync(join(folder, "taken"), "");
  const to = (out: string) =>
    exportGguf({ model: join(folder, "model"), out: join(folder, out), type: "f32", approximate: false });
  await assert.rejects(
    to("taken"),
    /taken: expected a file that doesn't exist yet, got one that does; remove it, or choose another --out$/,
  );
  await assert.rejects(to("none/x"), /x: expected a place for a new file, got ENOENT$/);
  const options = { model: join(folder, "model"), out: join(folder, "x.gguf"), type: "f32" as const };
  const onProgress = () => {
    throw new Error("stopped");
  };
  await assert.rejects(exportGguf({ ...options, approximate: false, onProgress }), /x\.gguf: stopped$/);
  assert.deepEqual(readdirSync(folder).sort(), ["model", "taken"]);
});

test("a damaged graph is refused", async (t) => {
  const folder = scratch(t);
  await writeFixtureModel(join(folder, "model"), "fp32", randomWeights(FIXTURE_SIZES, 1, 2, TANH));
  const graph = join(folder, "model/onnx/model.onnx");
  const bytes = readFileSync(graph);
  const options = {
    model: join(folder, "model"),
    out: join(folder, "x"),
    type: "f32",
    approximate: false,
  } as const;
  for (const name of ["layers.1.fc.weight", "layers.0.ln1.weight"]) {
    const spoiled = Buffer.from(bytes);
    for (let at = spoiled.indexOf(name); at >= 0; at = spoiled.indexOf(name, at))
      spoiled.write(name.replace("layers", "lawyer"), at);
    writeFileSync(graph, spoiled);
    const line = new RegExp(`expected a weight ${name}, got none; import the model again$`);
    await assert.rejects(exportGguf(options), line);
  }
  writeFileSync(graph, bytes.subarray(0, bytes.length / 2));
  await assert.rejects(exportGguf(options), /model\.onnx: .*import the model again$/);
});
