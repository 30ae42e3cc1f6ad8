import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  type CheckpointOptions,
  checkpoint,
  FakeState,
  FakeStorage,
  FakeTensor,
  FakeTuple,
  type Plain,
  RawPickle,
  tensor,
} from "../../fixtures/checkpoint-writer.js";
import { callOf, gpt, temporaryFile } from "../../fixtures/gpt.js";
import { mulberry32 } from "../../recipe/random.js";
import { readWeights } from "../families/gpt.js";
import { openCheckpoint } from "./checkpoint.js";
import { ImportError } from "./error.js";
import { Tuple, type Value } from "./pickle.js";
import { Tensor } from "./tensor.js";

async function load(t: TestContext, root: Plain, options?: CheckpointOptions): Promise<Value> {
  const opened = await openCheckpoint(await temporaryFile(t, checkpoint(root, options)));
  t.after(() => opened.close());
  return opened.root;
}

async function refuses(
  t: TestContext,
  root: Plain,
  options: CheckpointOptions,
  message: RegExp,
): Promise<void> {
  await assert.rejects(load(t, root, options), (error) => {
    assert(error instanceof ImportError);
    assert.match(error.message, message);
    return true;
  });
}

const small = { one: tensor("float32", [1], [1]) };

for (const protocol of [2, 3, 4, 5])
  test(`reads a training script's checkpoint, pickle protocol ${protocol}`, async (t) => {
    const root = await load(
      t,
      {
        model: new FakeState(gpt({ layers: 1 })),
        optim: { state: new Map([[0, { step: tensor("float32", [], [3]) }]]), param_groups: [{ lr: 0.1 }] },
        step: 3,
        cfg: { n_head: 2, out_dir: "체크포인트", betas: new FakeTuple([0.9, 0.95]) },
      },
      { protocol },
    );
    assert(root instanceof Map);
    assert.deepEqual([...root.keys()], ["model", "optim", "step", "cfg"]);
    const model = root.get("model");
    assert(model instanceof Map && model.get("tok_emb.weight") instanceof Tensor);
    assert(!model.has("_metadata"));
  });

test("reads what else a checkpoint may name: parameters, devices, dtypes, sizes", async (t) => {
  const raw = (opcodes: string) => new RawPickle(Buffer.from(opcodes));
  const root = await load(t, {
    device: raw("ctorch\ndevice\n(X\x04\0\0\0cudatR"),
    dtype: raw("ctorch\nbfloat16\n"),
    size: raw("ctorch\nSize\n((K\x02K\x03ttR"),
    layout: raw("ctorch.serialization\n_get_layout\n(X\x0d\0\0\0torch.stridedtR"),
  });
  assert(root instanceof Map);
  assert.equal(root.get("device"), "cuda");
  assert.equal(root.get("layout"), "torch.strided");
  assert.deepEqual(root.get("size"), new Tuple([2, 3]));
});

test("reads every name that the archive's folder may have, and Zip64", async (t) => {
  for (const folder of ["archive", "ckpt", "my model"])
    for (const zip64 of [false, true]) {
      const root = await load(t, small, { folder, zip64 });
      assert(root instanceof Map);
      assert.deepEqual([...(await (root.get("one") as Tensor).read())], [1]);
    }
});

test("a pickle that calls os.system runs nothing", async (t) => {
  const file = await temporaryFile(t, Buffer.alloc(0));
  const trace = join(dirname(file), "trace");
  for (const [module, name] of [
    ["os", "system"],
    ["posix", "system"],
    ["builtins", "eval"],
  ] as const) {
    await writeFile(file, checkpoint({ model: callOf(module, name, `touch ${trace}`) }));
    await assert.rejects(
      openCheckpoint(file),
      new RegExp(`"${module}\\.${name}" is refused, nothing was run`),
    );
  }
  assert(!existsSync(trace));
});

test("refuses to call a storage's class, and a rebuilder with other arguments than torch's", async (t) => {
  const raw = (opcodes: string) => new RawPickle(Buffer.from(opcodes, "latin1"));
  await refuses(
    t,
    raw("ctorch\nFloatStorage\n(J\xff\xff\xff\x7ftR"),
    {},
    /calling torch\.FloatStorage is refused/,
  );
  await refuses(t, raw("ctorch._utils\n_rebuild_tensor_v2\n)R"), {}, /other arguments than torch does$/);
  await refuses(
    t,
    raw("ccollections\nOrderedDict\n(K\x01tR"),
    {},
    /collections\.OrderedDict with other arguments/,
  );
});

test("refuses a storage that is missing, short, or told in two ways", async (t) => {
  const without = {
    tamper: (entries) => entries.filter((entry) => !entry.name.endsWith("/0")),
  } as CheckpointOptions;
  await refuses(t, small, without, /the storage "data\/0" is missing$/);

  const cut = {
    tamper: (entries) =>
      entries.map((entry) =>
        entry.name.endsWith("/0") ? { ...entry, data: entry.data.subarray(1) } : entry,
      ),
  } as CheckpointOptions;
  await refuses(t, small, cut, /"data\/0" should hold 1 float32 \(4 bytes\), but holds 3 bytes$/);

  const relabel = {
    tamper: (entries) =>
      entries.map((entry) =>
        entry.name.endsWith("data.pkl")
          ? {
              ...entry,
              data: Buffer.from(
                entry.data.toString("latin1").replace("X\x01\0\0\x001", "X\x01\0\0\x000"),
                "latin1",
              ),
            }
          : entry,
      ),
  } as CheckpointOptions;
  const two = { a: tensor("float32", [2], [1, 2]), b: tensor("float16", [4], [1, 2, 3, 4]) };
  await refuses(t, two, relabel, /"data\/0" is 2 float32 in one place and 4 float16 in another$/);
});

test("refuses a reference that is none to a storage", async (t) => {
  await refuses(t, new RawPickle(Buffer.from("K\x01Q")), {}, /expected a reference to a tensor's storage/);
});

test("refuses the byte order of another machine", async (t) => {
  await refuses(t, small, { byteorder: "big" }, /expected the byte order "little", got "big"$/);
});

test("refuses a pickle that is far too large", async (t) => {
  const tamper: CheckpointOptions["tamper"] = (entries) =>
    entries.map((entry) =>
      entry.name.endsWith("data.pkl") ? { ...entry, data: Buffer.alloc((64 << 20) + 1) } : entry,
    );
  await refuses(t, small, { tamper, zip64: true }, /data\.pkl of at most 67108864 bytes, got 67108865$/);
});

test("never reads the optimizer's state", async (t) => {
  const model = gpt();
  const moments = new FakeTensor(new FakeStorage("float32", Array(999).fill(1)), [999]);
  const bytes = checkpoint({
    model: new FakeState(model),
    optim: { state: new Map([[0, { exp_avg: moments }]]) },
    cfg: { n_head: 2 },
  });
  // Without its local header, the state's storage is a place that can't be read at all.
  const header = bytes.indexOf(Buffer.from(`archive/data/${model.size}`)) - 30;
  assert.equal(bytes.toString("latin1", header, header + 4), "PK\x03\x04");
  bytes.fill(0, header, header + 30);
  const opened = await openCheckpoint(await temporaryFile(t, bytes));
  const weights = await readWeights(opened);
  t.after(() => weights.close());
  assert.equal((await weights.tokens.read()).length, 88);

  const optim = (opened.root as Map<string, Value>).get("optim") as Map<
    string,
    Map<number, Map<string, Tensor>>
  >;
  await assert.rejects(optim.get("state")!.get(0)!.get("exp_avg")!.read(), /invalid local file header/);
});

/** Everything that an import reads. */
async function readAll(file: string): Promise<void> {
  const weights = await readWeights(await openCheckpoint(file), { heads: 2 });
  try {
    const parts = weights.layers.flatMap((layer) => Object.values(layer));
    for (const part of [...parts, weights.finalNorm, weights.head]) {
      await part?.weight?.read();
      await part?.bias?.read();
    }
    for (const weight of [weights.tokens, weights.positions]) await weight?.read();
  } finally {
    await weights.close();
  }
}

const tiny = () => {
  const model = gpt({ dialect: "nanogpt", layers: 1, width: 2, context: 2, vocab: 3, bias: false });
  return checkpoint({ model: new FakeState(model), model_args: { n_layer: 1 } });
};

test("a file that was cut off anywhere is refused", async (t) => {
  const whole = tiny();
  const file = await temporaryFile(t, whole);
  await readAll(file);
  // The directory byte by byte, and the part before it in steps that meet every alignment.
  const directory = whole.indexOf("PK\x01\x02");
  for (let length = 0; length < whole.length; length += length < directory ? 7 : 1) {
    await writeFile(file, whole.subarray(0, length));
    await assert.rejects(readAll(file), ImportError, `${length} bytes`);
  }
});

test("two thousand corrupted files are read or refused, never worse", { timeout: 120_000 }, async (t) => {
  const random = mulberry32(7);
  const pick = (below: number) => Math.floor(random() * below);
  const whole = tiny();
  const pickleStart = whole.indexOf("\x80\x02}", 0, "latin1");
  const pickleLength = whole.indexOf("PK\x03\x04", pickleStart) - pickleStart;
  const directory = whole.indexOf("PK\x01\x02");
  const file = await temporaryFile(t, whole);
  let refused = 0;
  for (let round = 0; round < 2000; round++) {
    const bytes = Buffer.from(whole);
    // Most bytes are weights; those of the pickle and of the directory have a meaning.
    const [from, length] = [
      [pickleStart, pickleLength],
      [directory, whole.length - directory],
      [0, whole.length],
    ][round % 3] as [number, number];
    for (let flips = 1 + pick(4); flips > 0; flips--) bytes[from + pick(length)]! ^= 1 << pick(8);
    await writeFile(file, bytes);
    await readAll(file).catch((error) => {
      assert(error instanceof ImportError, `round ${round}: ${error.stack}`);
      assert(!error.message.includes("\n"));
      refused++;
    });
  }
  assert(refused > 1000, `${refused} refused`);
});
