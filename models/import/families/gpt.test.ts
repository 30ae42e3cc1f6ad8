import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { type TestContext, test } from "node:test";
import {
  checkpoint,
  FakeState,
  FakeStorage,
  FakeTensor,
  type Plain,
  tensor,
} from "../../fixtures/checkpoint-writer.js";
import { type FakeGpt, gpt, temporaryFile, valuesOf } from "../../fixtures/gpt.js";
import { openCheckpoint } from "../checkpoint/checkpoint.js";
import { ImportError } from "../checkpoint/error.js";
import type { ModelWeights, WeightSource } from "../weights.js";
import { readWeights } from "./gpt.js";

const SIZES = { vocab: 11, context: 6, layers: 2, heads: 2, kvHeads: 2, headDim: 4, width: 8, hidden: 32 };
const CFG = { block_size: 6, n_layer: 2, n_head: 2, n_embd: 8, dropout: 0.1 };
const MODEL_ARGS = { ...CFG, vocab_size: 11, bias: true };

type State = Map<string, FakeTensor>;

async function read(t: TestContext, root: Plain, heads?: number): Promise<ModelWeights> {
  const weights = await readWeights(await openCheckpoint(await temporaryFile(t, checkpoint(root))), {
    heads,
  });
  t.after(() => weights.close());
  return weights;
}

async function refuses(t: TestContext, root: Plain, message: RegExp, heads?: number): Promise<void> {
  const file = await temporaryFile(t, checkpoint(root));
  const opened = await openCheckpoint(file);
  await assert.rejects(readWeights(opened, { heads }), (error) => {
    assert(error instanceof ImportError);
    assert(error.message.startsWith(`${file}: `) && !error.message.includes("\n"));
    assert.match(error.message, message);
    return true;
  });
}

/** Every weight of the model, by its name in the file. */
function sources(weights: ModelWeights): Map<string, WeightSource> {
  const parts = [...weights.layers.flatMap((layer) => Object.values(layer)), weights.finalNorm, weights.head];
  const all = parts.flatMap((part) => [part?.weight, part?.bias]);
  all.push(weights.tokens, weights.positions);
  return new Map(all.flatMap((source) => (source ? [[source.name, source]] : [])));
}

async function assertSame(weights: ModelWeights, state: State): Promise<void> {
  const found = sources(weights);
  for (const [name, fake] of state) {
    if (name.endsWith(".attn.bias") || (weights.tied && name === "lm_head.weight")) continue;
    const source = found.get(name);
    assert(source, name);
    assert.deepEqual([...source.shape], [...fake.shape], name);
    assert.deepEqual([...(await source.read())], valuesOf(fake), name);
    found.delete(name);
  }
  assert.deepEqual([...found.keys()], []);
}

/** A state dict under `model`, changed by `change`, with the training script's sizes. */
function altered(change: (state: State) => void, options: FakeGpt = {}): Plain {
  const state = gpt(options);
  change(state);
  return { model: new FakeState(state), cfg: CFG };
}

test("reads the training script's names, with sizes from cfg", async (t) => {
  const state = gpt();
  const weights = await read(t, { model: new FakeState(state), step: 420, cfg: CFG });
  assert.deepEqual(weights.sizes, SIZES);
  assert.equal(weights.tied, false);
  assert.equal(weights.layers[1]!.mlpProj.weight.name, "blocks.1.mlp.proj.weight");
  assert.equal(weights.layers[0]!.qkv.bias?.name, "blocks.0.attn.qkv.bias");
  await assertSame(weights, state);
});

test("reads the server document's names without cfg, with the heads that it is told", async (t) => {
  const state = gpt({ dialect: "document" });
  const weights = await read(t, { model: new FakeState(state) }, 4);
  assert.deepEqual(weights.sizes, { ...SIZES, heads: 4, kvHeads: 4, headDim: 2 });
  assert.equal(weights.layers[1]!.fc.weight.name, "blocks.1.mlp.c_fc.weight");
  await assertSame(weights, state);
});

test("reads nanoGPT's names, compiled and tied", async (t) => {
  const state = gpt({ dialect: "nanogpt" });
  const compiled = new Map([...state].map(([name, fake]) => [`_orig_mod.${name}`, fake]));
  const weights = await read(t, {
    model: new FakeState(compiled),
    optimizer: { state: {}, param_groups: [] },
    model_args: MODEL_ARGS,
    iter_num: 5,
    best_val_loss: tensor("float32", [], [1.5]),
    config: { n_layer: 99, dtype: "bfloat16" },
  });
  assert.deepEqual(weights.sizes, SIZES);
  assert.equal(weights.tied, true);
  assert.equal(weights.head.weight, weights.tokens);
  await assertSame(weights, state);
});

test("reads nanoGPT without biases, and with its older mask buffers", async (t) => {
  const state = gpt({ dialect: "nanogpt", bias: false, masks: true });
  const weights = await read(t, { model: new FakeState(state), model_args: { ...MODEL_ARGS, bias: false } });
  assert.equal(weights.finalNorm.bias, null);
  assert.equal(weights.layers[0]!.qkv.bias, null);
  await assertSame(weights, state);
});

test("a nanoGPT head is tied where it is left out, and its own where its storage is", async (t) => {
  const state = gpt({ dialect: "nanogpt" });
  state.delete("lm_head.weight");
  assert.equal((await read(t, { model: new FakeState(state), model_args: MODEL_ARGS })).tied, true);

  const values = Array.from({ length: 88 }, (_, index) => index);
  state.set("lm_head.weight", tensor("float32", [11, 8], values));
  const weights = await read(t, { model: new FakeState(state), model_args: MODEL_ARGS });
  assert.equal(weights.tied, false);
  assert.deepEqual([...(await weights.head.weight.read())], values);
});

for (const dtype of ["float16", "bfloat16", "float64"] as const)
  test(`reads a ${dtype} checkpoint as float32`, async (t) => {
    const weights = await read(t, { model: new FakeState(gpt({ dtype })), cfg: CFG });
    await assertSame(weights, gpt());
  });

test("reads weights that are strided views of one shared storage", async (t) => {
  const state = gpt();
  const contiguous = new Map(state);
  const values = valuesOf(state.get("blocks.0.mlp.fc.weight")!);
  const turned = Array.from(
    { length: 256 },
    (_, index) => values[(index % 32) * 8 + Math.floor(index / 32)]!,
  );
  const shared = new FakeStorage("float32", [...turned, ...valuesOf(state.get("ln_f.weight")!)]);
  state.set("blocks.0.mlp.fc.weight", new FakeTensor(shared, [32, 8], [1, 32]));
  state.set("ln_f.weight", new FakeTensor(shared, [8], [1], 256));
  await assertSame(await read(t, { model: new FakeState(state), cfg: CFG }), contiguous);
});

test("finds the state dict at the top and under its other names", async (t) => {
  const state = new FakeState(gpt());
  await read(t, state, 2);
  await read(t, { state_dict: state, cfg: CFG });
  await read(t, { model_state_dict: state, epoch: 3, config: CFG });
});

test("takes the prefix of DistributedDataParallel off, alone and around a compiled model", async (t) => {
  for (const prefix of ["module.", "module._orig_mod.", "_orig_mod.module."]) {
    const state = new Map([...gpt()].map(([name, fake]) => [prefix + name, fake]));
    await read(t, { model: new FakeState(state), cfg: CFG });
  }
});

test("refuses a checkpoint without a state dict, or with two", async (t) => {
  await refuses(t, [1], /expected a checkpoint that is a dict, got a list$/);
  await refuses(t, {}, /expected a state dict, at the top or as "model" or .*, got a dict with no keys$/);
  await refuses(t, { net: {}, step: 1 }, /got a dict with the keys "net", "step"$/);
  const state = new FakeState(gpt());
  await refuses(
    t,
    { model: state, state_dict: state },
    /expected one state dict, got "model" and "state_dict"$/,
  );
  await refuses(
    t,
    { model: new Map<string, Plain>([...gpt(), ["ema", 1]]) },
    /expected "ema" to be a tensor, got the number 1$/,
  );
});

test("refuses a model that is none of those it knows", async (t) => {
  const other = { "encoder.weight": tensor("float32", [1], [1]) };
  await refuses(
    t,
    { model: other },
    /expected a GPT with tensors such as "tok_emb" or .*, got "encoder\.weight"/,
  );
});

test("without cfg, says to pass the heads", async (t) => {
  const state = new FakeState(gpt({ dialect: "document" }));
  await refuses(t, { model: state }, /doesn't say how many attention heads the model has; pass --heads N/);
  await refuses(t, { model: state, cfg: { n_layer: 2 } }, /pass --heads N/);
});

test("refuses heads that contradict cfg, or don't divide the width", async (t) => {
  const model = new FakeState(gpt());
  await refuses(t, { model, cfg: CFG }, /--heads is 4, but the checkpoint's cfg says n_head = 2$/, 4);
  for (const heads of [3, 0, -2, 1.5, Number.NaN])
    await refuses(t, { model }, /expected a number of heads that divides the width 8, got /, heads);
  await refuses(t, { model, cfg: { ...CFG, n_head: 5 } }, /divides the width 8, got 5$/);
  assert.equal((await read(t, { model, cfg: CFG }, 2)).sizes.heads, 2);
});

for (const [key, value, message] of [
  ["n_embd", 16, /cfg says n_embd = 16, but it is 8 in tok_emb\.weight$/],
  ["block_size", 1024, /cfg says block_size = 1024, but it is 6 in pos_emb\.weight$/],
  ["n_layer", 3, /cfg says n_layer = 3, but it is 2 in what lies under "blocks"$/],
  ["vocab_size", 12, /cfg says vocab_size = 12, but it is 11 in tok_emb\.weight$/],
  [
    "n_layer",
    "two",
    /expected n_layer in the checkpoint's cfg to be a whole number from 1, got the str "two"$/,
  ],
  ["n_head", 0, /expected n_head in .* from 1, got the number 0$/],
  ["n_embd", 8.5, /expected n_embd in .* got the number 8\.5$/],
  ["bias", false, /cfg says bias = False, but "blocks\.0\.ln1\.bias" is there$/],
] as const)
  test(`refuses cfg with ${key} = ${value}`, async (t) => {
    await refuses(t, { model: new FakeState(gpt()), cfg: { ...CFG, [key]: value } }, message);
  });

test("refuses cfg with bias = True where there is none", async (t) => {
  const model = new FakeState(gpt({ bias: false }));
  await refuses(t, { model, cfg: { ...CFG, bias: true } }, /cfg says bias = True, but no bias is there$/);
});

test("names the tensor that is missing, whichever it is", async (t) => {
  for (const name of gpt().keys()) {
    if (name.endsWith("attn.bias")) continue;
    const quoted = new RegExp(`the tensor "${name.replaceAll(".", "\\.")}" is missing; `);
    await refuses(
      t,
      altered((state) => state.delete(name)),
      quoted,
    );
  }
});

test("names a tensor that has another shape, whichever it is", async (t) => {
  for (const [name, { shape }] of gpt()) {
    const grown = shape.map((size, axis) => (axis === shape.length - 1 ? size + 1 : size));
    const other = tensor("float32", grown, Array(grown.reduce((a, b) => a * b)).fill(0));
    const root = altered((state) => state.set(name, other));
    if (["tok_emb.weight", "pos_emb.weight"].includes(name)) await refuses(t, root, /n_embd|pos_emb\.weight/);
    else
      await refuses(
        t,
        root,
        new RegExp(`expected "${name}" to have shape \\[.*\\], got \\[${grown.join(", ")}\\]$`),
      );
  }
});

test("names a tensor that nobody expects", async (t) => {
  const extra = tensor("float32", [3], [1, 2, 3]);
  for (const name of [
    "head.bias",
    "blocks.0.attn.rotary",
    "blocks.00.ln1.weight",
    "ema.tok_emb.weight",
    "ln_f.gain",
  ])
    await refuses(
      t,
      altered((state) => state.set(name, extra)),
      new RegExp(`unexpected tensor "${name}" of shape \\[3\\]$`),
    );
  const many = altered((state) => {
    state.set("x", extra);
    state.set("y", extra);
  });
  await refuses(t, many, /unexpected tensor "x" of shape \[3\] \(and 1 more\)$/);
});

test("refuses names of two dialects in one model", async (t) => {
  const mixed = altered((state) => {
    state.set("blocks.1.ln_1.weight", state.get("blocks.1.ln1.weight")!);
    state.delete("blocks.1.ln1.weight");
  });
  await refuses(t, mixed, /"blocks\.1\.ln1\.weight" is missing; expected one of shape \[8\]$/);
});

test("refuses a tensor that is there twice, with and without a prefix", async (t) => {
  const root = altered((state) => state.set("_orig_mod.ln_f.weight", state.get("ln_f.weight")!));
  await refuses(t, root, /the tensor "ln_f\.weight" is there twice$/);
});

test("refuses a gap between the layers, and layers without end", async (t) => {
  const rename = (to: string) => (state: State) => {
    for (const [name, fake] of [...state])
      if (name.startsWith("blocks.1.")) {
        state.delete(name);
        state.set(name.replace("blocks.1.", to), fake);
      }
  };
  await refuses(
    t,
    { model: new FakeState(changed(rename("blocks.2."))) },
    /"blocks\.1\.ln1\.weight" is missing/,
    2,
  );
  await refuses(t, altered(rename("blocks.2.")), /cfg says n_layer = 2, but it is 3/);
  await refuses(
    t,
    altered(rename("blocks.999999999.")),
    /to at most "blocks\.1023", got "blocks\.999999999"$/,
  );
  await refuses(t, altered(rename("blocks.99999999999999999999.")), /at most "blocks\.1023", got /);
});

function changed(change: (state: State) => void): State {
  const state = gpt();
  change(state);
  return state;
}

test("a mask can't pass for a bias, nor a bias for a mask", async (t) => {
  const mask = gpt().get("blocks.0.attn.bias")!;
  await refuses(
    t,
    altered((state) => state.set("blocks.0.attn.qkv.bias", mask)),
    /expected "blocks\.0\.attn\.qkv\.bias" to have shape \[24\], got \[1, 1, 6, 6\]$/,
  );
  await refuses(
    t,
    altered((state) => state.set("blocks.0.attn.bias", tensor("float32", [8], Array(8).fill(1)))),
    /expected "blocks\.0\.attn\.bias" to have shape \[1, 1, 6, 6\], got \[8\]$/,
  );
  await read(
    t,
    altered((state) => state.set("blocks.0.attn.masked_bias", tensor("float32", [], [-10000]))),
  );
});

test("refuses integers as weights", async (t) => {
  const root = altered((state) => state.set("ln_f.weight", tensor("int64", [8], Array(8).fill(1))));
  await refuses(t, root, /expected "ln_f\.weight" in float32, float16, bfloat16 or float64, got int64$/);
});

test("refuses sizes that no model has, without allocating them", async (t) => {
  const one = new FakeStorage("float32", [1]);
  const huge = (rows: number, columns: number) =>
    altered((state) => state.set("tok_emb.weight", new FakeTensor(one, [rows, columns], [0, 0])));
  await refuses(t, huge(2 ** 40, 8), /expected "tok_emb\.weight" to be a matrix of at most 4194304 × 65536/);
  await refuses(t, huge(11, 2 ** 40), /got shape \[11, 1099511627776\]$/);
  await refuses(t, huge(0, 8), /got shape \[0, 8\]$/);
});

for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
  test(`names the tensor that holds ${bad} when it is read`, async (t) => {
    const values = [1, 1, 1, bad, 1, 1, 1, 1];
    const weights = await read(
      t,
      altered((state) => state.set("ln_f.bias", tensor("float32", [8], values))),
    );
    await weights.tokens.read();
    await assert.rejects(
      weights.finalNorm.bias!.read(),
      new RegExp(`expected finite numbers in "ln_f\\.bias", got ${bad} at element 3$`),
    );
  });

test("closes the checkpoint where it refuses it, and when the weights are closed", async (t) => {
  const closed: string[] = [];
  const watch = async (root: Plain) => {
    const opened = await openCheckpoint(await temporaryFile(t, checkpoint(root)));
    return {
      ...opened,
      close: async () => {
        closed.push(opened.file);
        await opened.close();
      },
    };
  };
  await assert.rejects(readWeights(await watch({})), ImportError);
  assert.equal(closed.length, 1);
  const weights = await readWeights(await watch(altered(() => {})));
  assert.equal(closed.length, 1);
  await weights.close();
  assert.equal(closed.length, 2);
});

const real = new URL("../../../../../shared/jai/ckpt.pt", import.meta.url);

test("reads a real checkpoint", { skip: !existsSync(real) && "needs ../shared/jai" }, async (t) => {
  const weights = await readWeights(await openCheckpoint(real.pathname));
  t.after(() => weights.close());
  assert.deepEqual(weights.sizes, {
    vocab: 6810,
    context: 256,
    layers: 6,
    heads: 6,
    kvHeads: 6,
    headDim: 64,
    width: 384,
    hidden: 1536,
  });
  assert.equal(weights.tied, false);
  for (const source of sources(weights).values())
    assert.equal(
      (await source.read()).length,
      source.shape.reduce((a, b) => a * b),
      source.name,
    );
});
