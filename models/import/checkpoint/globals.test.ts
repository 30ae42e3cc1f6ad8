import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { checkpoint, FakeState, type Plain, RawPickle, tensor } from "../../fixtures/checkpoint-writer.js";
import { callOf, temporaryFile } from "../../fixtures/gpt.js";
import { mulberry32 } from "../../recipe/random.js";
import { openCheckpoint } from "./checkpoint.js";
import { ImportError } from "./error.js";
import { openStateDict } from "./open-state-dict.js";
import { describe, type Instance, PythonSet, type Value } from "./pickle.js";
import { Tensor } from "./tensor.js";

/** Opcodes as they stand in a file, one character a byte. */
const raw = (...opcodes: string[]) => new RawPickle(Buffer.from(opcodes.join(""), "latin1"));
/** A str, in opcodes. */
const str = (text: string) => `\x8c${String.fromCharCode(Buffer.byteLength(text))}${text}`;
const model = () => new FakeState(new Map([["w", tensor("float32", [1], [1])]]));

/** What the file has under `x`, beside a state dict. */
async function beside(t: TestContext, x: Plain): Promise<Value> {
  const file = await temporaryFile(t, checkpoint({ model: model(), x }));
  const opened = await openCheckpoint(file);
  t.after(() => opened.close());
  const whole = await openStateDict(file);
  t.after(() => whole.close());
  assert.deepEqual([...whole.tensors.keys()], ["w"]);
  return (opened.root as Map<Value, Value>).get("x")!;
}

async function refuses(t: TestContext, root: Plain, message: RegExp): Promise<void> {
  await assert.rejects(openStateDict(await temporaryFile(t, checkpoint(root))), (error) => {
    assert(error instanceof ImportError);
    assert(!error.message.includes("\n"), error.message);
    assert.match(error.message, message);
    return true;
  });
}

/** An object as protocol 2 writes it: the class, no arguments, and fields. */
const object = (type: string, fields: string) => raw(`c${type.replace(" ", "\n")}\n)\x81}(${fields}ub`);
const FIELDS = `${str("n_head")}K\x04${str("bias")}\x89`;

for (const [key, type] of [
  ["config", "__main__ GPTConfig"],
  ["args", "argparse Namespace"],
  ["hyper_parameters", "lightning.fabric.utilities.data AttributeDict"],
  ["model_args", "types SimpleNamespace"],
] as const)
  test(`the fields of a ${type.split(" ")[1]} are read as a configuration`, async (t) => {
    const root = { model: model(), [key]: object(type, FIELDS) };
    const opened = await openStateDict(await temporaryFile(t, checkpoint(root)));
    t.after(() => opened.close());
    assert.equal(opened.config?.name, key);
    assert.deepEqual(
      [...opened.config!.values],
      [
        ["n_head", 4],
        ["bias", false],
      ],
    );
  });

test("slots, and items of a class that is derived from dict, are fields, too", async (t) => {
  const slots = (await beside(t, raw("cm\nA\n)\x81N}", str("a"), "K\x01s\x86b"))) as Instance;
  assert.deepEqual([...slots.fields], [["a", 1]]);
  const both = raw("cm\nA\n)\x81(", str("a"), "K\x01u}", str("b"), "K\x02sb");
  assert.deepEqual(
    [...((await beside(t, both)) as Instance).fields],
    [
      ["b", 2],
      ["a", 1],
    ],
  );
  const list = (await beside(t, raw("cm\nA\n)\x81(K\x01K\x02e"))) as Instance;
  assert.deepEqual(list.items, [1, 2]);
});

for (const module of ["builtins", "__builtin__"])
  test(`reads sets, enums, paths and collections, as ${module} has them`, async (t) => {
    const cases: [string, Value][] = [
      [`c${module}\nset\n](K\x01K\x02e\x85R`, new PythonSet([1, 2])],
      [`c${module}\nfrozenset\nK\x01\x85\x85R`, new PythonSet([1])],
      ["\x8f(K\x01K\x02\x90", new PythonSet([1, 2])],
      ["(K\x03\x91", new PythonSet([3])],
      [`ccollections\ndefaultdict\nc${module}\nlist\n\x85RK\x01K\x02s`, new Map([[1, 2]])],
      ["ccollections\ndeque\n]K\x05\x86R(K\x01e", [1]],
      ["ccollections\nCounter\n}K\x01K\x02s\x85R", new Map([[1, 2]])],
      [`cpathlib\nPosixPath\n(${str("/")}${str("data")}${str("out")}tR`, "/data/out"],
      [`cpathlib._local\nPosixPath\n(${str("out")}${str("run")}tR`, "out/run"],
      ["\x96\x02\0\0\0\0\0\0\0ab", Uint8Array.of(97, 98)],
    ];
    for (const [opcodes, value] of cases) assert.deepEqual(await beside(t, raw(opcodes)), value, opcodes);
    const byName = await beside(t, raw(`c${module}\ngetattr\ncm\nAct\n${str("GELU")}\x86R`));
    assert.equal(describe(byName), 'an object of the class "m.Act"');
    assert.deepEqual((byName as Instance).args, ["GELU"]);
    const byValue = (await beside(t, raw(`cm\nAct\n${str("gelu")}\x85R`))) as Instance;
    assert.deepEqual([byValue.type, byValue.args], ["m.Act", ["gelu"]]);
  });

const dtype = (code: string, order = "<") =>
  `cnumpy\ndtype\n(${str(code)}\x89\x88tR(K\x03${str(order)}NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb`;

for (const module of ["numpy.core", "numpy._core"])
  test(`reads ${module}'s scalars as plain values, and arrays`, async (t) => {
    const scalar = (code: string, bytes: number[], order = "<") =>
      raw(
        `c${module}.multiarray\nscalar\n${dtype(code, order)}C${String.fromCharCode(bytes.length, ...bytes)}\x86R`,
      );
    const cases: [Plain, Value][] = [
      [scalar("f8", [0, 0, 0, 0, 0, 0, 0xf4, 0x3f]), 1.25],
      [scalar("f8", [0x3f, 0xf4, 0, 0, 0, 0, 0, 0], ">"), 1.25],
      [scalar("f4", [0, 0, 0xa0, 0x3f]), 1.25],
      [scalar("f2", [0, 0x3d]), 1.25],
      [scalar("i8", [0xfe, 255, 255, 255, 255, 255, 255, 255]), -2],
      [scalar("u8", Array(8).fill(255)), 2n ** 64n - 1n],
      [scalar("u2", [1, 2], ">"), 0x102],
      [scalar("b1", [1], "|"), true],
      [scalar("U2", [0xac, 0xd5, 0, 0, 0, 0, 0, 0]), "햬"],
      [scalar("M8", Array(8).fill(1)), Uint8Array.from(Array(8).fill(1))],
    ];
    for (const [plain, value] of cases) assert.deepEqual(await beside(t, plain), value);
    const array = raw(
      `c${module}.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85C\x01b\x87R`,
      `(K\x01K\x02\x85${dtype("f4")}\x89C\x08\0\0\0\0\0\0\0\0tb`,
    );
    assert.equal(describe(await beside(t, array)), "a NumPy array");
    const buffer = raw(`c${module}.numeric\n_frombuffer\n(C\x04\0\0\0\0${dtype("f4")}K\x01\x85${str("C")}tR`);
    assert.equal(describe(await beside(t, buffer)), "a NumPy array");
  });

test("reads NumPy's bytes as protocol 2 spells them", async (t) => {
  const text = "\x8c\x09\0\0\0\0\0\0\xc3\xb4?"; // eight code points, one of them two bytes of UTF-8
  const encoded = `c_codecs\nencode\n${text}${str("latin1")}\x86R`;
  assert.equal(await beside(t, raw(`cnumpy.core.multiarray\nscalar\n${dtype("f8")}${encoded}\x86R`)), 1.25);
});

test("a random state and a Parameter's attributes are data that nobody needs", async (t) => {
  const state = raw("cnumpy.random._pickle\n__randomstate_ctor\n)R}", str("a"), "K\x01sb");
  assert.equal(
    describe(await beside(t, state)),
    'what "numpy.random._pickle.__randomstate_ctor" would return',
  );
  const generator = raw("crandom\nRandom\n)\x81K\x01K\x02\x86b");
  assert.equal(describe(await beside(t, generator)), 'an object of the class "random.Random"');
});

test("a call of an unknown function is kept as data, never made", async (t) => {
  const file = await temporaryFile(t, Buffer.alloc(0));
  const trace = join(dirname(file), "trace");
  for (const [module, name] of [
    ["helpers", "touch"],
    ["torch.nn.functional", "gelu"],
    ["node:fs", "writeFileSync"],
    ["fs", "writeFileSync"],
    ["process", "exit"],
  ] as const) {
    await writeFile(file, checkpoint({ model: model(), x: callOf(module, name, trace) }));
    const opened = await openStateDict(file).catch((error) => {
      assert(error instanceof ImportError && error.message.includes("is refused, nothing was run"));
    });
    await opened?.close();
  }
  assert(!existsSync(trace));
});

test("getattr reaches no attribute of anything that is known", async (t) => {
  for (const target of ["ctorch\nfloat32\n", "cbuiltins\nlist\n", "}", str("text")])
    await refuses(
      t,
      { model: model(), x: raw(`cbuiltins\ngetattr\n${target}${str("constructor")}\x86R`) },
      /calls builtins\.getattr with other arguments/,
    );
  const call = `cbuiltins\ngetattr\ncm\nA\n${str("system")}\x86R${str("ls")}\x85R`;
  await refuses(t, { model: model(), x: raw(call) }, /calling an object of the class "m\.A" is refused/);
});

test("refuses a state dict that needs code, and says how to save one", async (t) => {
  const how = /torch\.save\(model\.state_dict\(\), "model\.pt"\)$/;
  const object = "c__main__\nNet\n)\x81";
  const module = raw(`${object}}(${str("_parameters")}}${str("_modules")}}ub`);
  await refuses(t, module, /got a whole pickled module, of the class "__main__\.Net", whose code isn't/);
  await refuses(t, module, how);
  await refuses(t, { model: module }, /got a whole pickled module under the str "model"/);
  await refuses(t, { epoch: 1, network: module }, how);
  await refuses(t, { model: raw(object) }, /expected "model" to be a state dict, got an object of the class/);
  await refuses(t, { model: raw("cm\nf\n)R") }, /to be a state dict, got what "m\.f" would return/);
  const mixed = new FakeState(new Map<string, Plain>([...model().tensors, ["v", raw("cm\nf\n)R")]]));
  await refuses(t, { model: mixed }, /expected "v" to be a tensor, got what "m\.f" would return, .*run\)/);
  await refuses(t, { model: mixed }, how);
});

test("reads a Parameter with attributes, and a tensor of a class of its own", async (t) => {
  // The state dict's only storage, "0", once more.
  const storage = `(${str("storage")}ctorch\nFloatStorage\n${str("0")}${str("cpu")}K\x01tQ`;
  const args = `(${storage}K\0K\x01\x85K\x01\x85\x89}t`;
  const rebuild = "ctorch._utils\n_rebuild_tensor_v2\n";
  for (const opcodes of [
    `ctorch._utils\n_rebuild_parameter_with_state\n(${rebuild}${args}R\x88}}tR`,
    `ctorch._tensor\n_rebuild_from_type_v2\n(${rebuild}cm\nMyTensor\n${args}}tR`,
    `${rebuild}${args}R}b`,
  ]) {
    const found = await beside(t, raw(opcodes));
    assert(found instanceof Tensor, opcodes);
    assert.deepEqual([found.shape, found.storage.bytes.name], [[1], "data/0"]);
  }
  const other = `ctorch._tensor\n_rebuild_from_type_v2\n(cm\nf\ncm\nMyTensor\n${args}}tR`;
  await refuses(
    t,
    { model: model(), x: raw(other) },
    /calls torch\._tensor\._rebuild_from_type_v2 with other/,
  );
});

test("a complex tensor is one that nobody reads", async (t) => {
  const file = checkpoint({ w: tensor("float32", [1], [5]), freqs: tensor("complex64", [0], []) });
  const opened = await openStateDict(await temporaryFile(t, file));
  t.after(() => opened.close());
  assert.deepEqual(
    [opened.tensors.get("freqs")?.dtype, opened.tensors.get("freqs")?.isFloat],
    ["complex64", false],
  );
});

test("what is made of one text or list a million times stays bounded", async (t) => {
  const text = Buffer.alloc(1 << 20, "a").toString();
  const long = `X\0\0\x10\0${text}q\x010`;
  const encode = `c_codecs\nencode\nq\x020`;
  const again = `h\x02h\x01${str("latin1")}\x86R0`;
  await refuses(t, raw(long, encode, again.repeat(100), "N"), /calls _codecs\.encode with other arguments/);
  const path = `cpathlib\nPosixPath\n(h\x01h\x01tR0`;
  await refuses(t, raw(long, path, "N"), /calls pathlib\.PosixPath with other arguments/);

  const list = `](${"N".repeat(100_000)}eq\x030`;
  const set = "cbuiltins\nset\nh\x03\x85R0".repeat(100_000);
  await refuses(t, raw(list, set, "N"), /expected a checkpoint that is a dict, got None$/);
});

test("a dict that holds itself, or another many times, is searched once", async (t) => {
  const inner = `}q\x01(${Array.from({ length: 200 }, (_, index) => `${str(`k${index}`)}h\x01`).join("")}u`;
  await refuses(t, raw(inner), /expected a state dict, at the top or as .*, got a dict with the keys "k0"/);
});

test("what many dicts hold is looked through once, and a long tuple never", {
  timeout: 60_000,
}, async (t) => {
  const big = `}(${Array.from({ length: 50_000 }, (_, index) => `M${String.fromCharCode(index & 255, index >> 8)}N`).join("")}uq\x010`;
  const inner = `}${str("model")}h\x01s`;
  const outer = `}(${Array.from({ length: 50_000 }, (_, index) => `${str(`k${index}`)}${inner}`).join("")}u`;
  await refuses(
    t,
    raw(big, outer),
    /expected a state dict, at the top or as .*, got a dict with the keys "k0"/,
  );
  const tuple = `(${"K\x01".repeat(50_000)}tq\x010`;
  const path = `cpathlib\nPosixPath\nh\x01R`;
  await refuses(t, raw(tuple, path), /calls pathlib\.PosixPath with other arguments/);
  const rebuild = `ctorch._utils\n_rebuild_tensor_v2\n(NK\0h\x01h\x01tR`;
  await refuses(t, raw(tuple, rebuild), /calls torch\._utils\._rebuild_tensor_v2 with other arguments/);
  const name = Buffer.alloc(1001, "a.").toString();
  await refuses(
    t,
    new FakeState(new Map([[name, tensor("float32", [1], [1])]])),
    /at most 1000 characters, got 1001$/,
  );
});

test("two thousand corrupted pickles with objects are read or refused", { timeout: 120_000 }, async (t) => {
  const random = mulberry32(13);
  const pick = (below: number) => Math.floor(random() * below);
  const scalar = `cnumpy.core.multiarray\nscalar\n${dtype("f8")}C\x08\0\0\0\0\0\0\0\0\x86R`;
  const whole = checkpoint({
    model: model(),
    config: object("__main__ GPTConfig", FIELDS),
    loss: raw(scalar),
    seen: raw("cbuiltins\nset\n](K\x01K\x02e\x85R"),
    out: raw(`cpathlib\nPosixPath\n${str("out")}\x85R`),
    act: raw(`cbuiltins\ngetattr\ncm\nAct\n${str("GELU")}\x86R`),
  });
  const start = whole.indexOf("\x80\x02}", 0, "latin1");
  const length = whole.indexOf("PK\x03\x04", start) - start;
  const file = await temporaryFile(t, whole);
  let refused = 0;
  for (let round = 0; round < 2000; round++) {
    const bytes = Buffer.from(whole);
    for (let flips = 1 + pick(3); flips > 0; flips--)
      bytes[start + pick(length)] = round % 2 ? pick(256) : bytes[start + pick(length)]!;
    await writeFile(file, bytes);
    try {
      const opened = await openStateDict(file);
      for (const found of opened.tensors.values()) if (found.isFloat) await found.read();
      await opened.close();
    } catch (error) {
      assert(error instanceof ImportError, `round ${round}: ${(error as Error).stack}`);
      assert(!error.message.includes("\n"));
      refused++;
    }
  }
  assert(refused > 1000, `${refused} refused`);
});
