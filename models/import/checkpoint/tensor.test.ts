import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { checkpoint, FakeStorage, FakeTensor, type Plain, tensor } from "../../fixtures/checkpoint-writer.js";
import { temporaryFile } from "../../fixtures/gpt.js";
import { openCheckpoint } from "./checkpoint.js";
import { ImportError } from "./error.js";
import { type Dtype, Tensor } from "./tensor.js";

async function load(t: TestContext, fakes: { [name: string]: Plain }): Promise<(name: string) => Tensor> {
  const opened = await openCheckpoint(await temporaryFile(t, checkpoint(fakes)));
  t.after(() => opened.close());
  return (name) => {
    const found = (opened.root as Map<string, unknown>).get(name);
    assert(found instanceof Tensor);
    return found;
  };
}

async function read(t: TestContext, fake: FakeTensor): Promise<number[]> {
  return [...(await (await load(t, { fake }))("fake").read())];
}

for (const dtype of ["float32", "float16", "bfloat16", "float64"] as const)
  test(`reads ${dtype}`, async (t) => {
    const values = [0, 1, -1, 0.5, -2.75, 96, 2 ** -14];
    assert.deepEqual(await read(t, tensor(dtype, [7], values)), values);
  });

test("reads every kind of float16", async (t) => {
  const storage = new FakeStorage("float16", Array(8).fill(0));
  [0x0001, 0x8001, 0x03ff, 0x0400, 0x7bff, 0x7c00, 0xfc00, 0x7e00].forEach((bits, index) => {
    storage.bytes.writeUInt16LE(bits, 2 * index);
  });
  assert.deepEqual(await read(t, new FakeTensor(storage, [8])), [
    2 ** -24,
    -(2 ** -24),
    1023 * 2 ** -24,
    2 ** -14,
    65504,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.NaN,
  ]);
});

test("reads bfloat16 bit by bit", async (t) => {
  const storage = new FakeStorage("bfloat16", [0, 0]);
  storage.bytes.writeUInt16LE(0x3f81, 0);
  storage.bytes.writeUInt16LE(0xff80, 2);
  assert.deepEqual(await read(t, new FakeTensor(storage, [2])), [1.0078125, Number.NEGATIVE_INFINITY]);
});

test("rounds float64 to float32", async (t) => {
  assert.deepEqual(await read(t, tensor("float64", [1], [0.1])), [Math.fround(0.1)]);
});

test("reads views in logical order: offset, transposed, stepped, three axes", async (t) => {
  const counting = (dtype: Dtype) =>
    new FakeStorage(
      dtype,
      Array.from({ length: 24 }, (_, index) => index),
    );
  const views: [FakeTensor, number[]][] = [
    [new FakeTensor(counting("float32"), [3], [1], 20), [20, 21, 22]],
    [new FakeTensor(counting("float16"), [2, 3], [1, 2]), [0, 2, 4, 1, 3, 5]],
    [new FakeTensor(counting("float32"), [3], [5], 1), [1, 6, 11]],
    [
      new FakeTensor(counting("bfloat16"), [2, 2, 3], [1, 12, 4], 2),
      [2, 6, 10, 14, 18, 22, 3, 7, 11, 15, 19, 23],
    ],
    [new FakeTensor(counting("float64"), [1, 2, 1], [99, 1, 77], 22), [22, 23]],
    [new FakeTensor(counting("float32"), [], [], 7), [7]],
    [new FakeTensor(counting("float32"), [2, 2], [0, 1], 4), [4, 5, 4, 5]],
    [new FakeTensor(counting("float32"), Array(16).fill(1), Array(16).fill(1), 9), [9]],
  ];
  for (const [view, values] of views) assert.deepEqual(await read(t, view), values);
});

test("a tensor without elements is empty, whatever its strides and offset", async (t) => {
  const storage = new FakeStorage("float32", []);
  assert.deepEqual(await read(t, new FakeTensor(storage, [0])), []);
  assert.deepEqual(await read(t, new FakeTensor(storage, [5, 0, 2], [9, 9, 9], 3)), []);
});

test("tensors that share a storage are told to be the same only where view and storage are", async (t) => {
  const storage = new FakeStorage("float32", [1, 2, 3, 4]);
  const get = await load(t, {
    a: new FakeTensor(storage, [2, 2]),
    b: new FakeTensor(storage, [2, 2]),
    turned: new FakeTensor(storage, [2, 2], [1, 2]),
    part: new FakeTensor(storage, [2], [1], 2),
    copy: tensor("float32", [2, 2], [1, 2, 3, 4]),
  });
  assert(get("a").sameAs(get("b")));
  for (const name of ["turned", "part", "copy"]) assert(!get("a").sameAs(get(name)), name);
  assert.deepEqual([...(await get("part").read())], [3, 4]);
});

test("the caller owns what it read", async (t) => {
  const get = await load(t, { fake: tensor("float32", [2], [1, 2]) });
  (await get("fake").read()).fill(9);
  assert.deepEqual([...(await get("fake").read())], [1, 2]);
});

for (const [what, shape, strides, offset] of [
  ["past the end", [5], [1], 0],
  ["past the end by its offset", [4], [1], 1],
  ["past the end by its strides", [2, 2], [3, 1], 0],
  ["with an overflowing stride", [2], [2 ** 53 - 1], 0],
  ["with an overflowing shape", [2 ** 30, 2 ** 30, 2 ** 30], [2 ** 50, 2 ** 50, 1], 0],
  ["at an overflowing offset", [1], [1], 2 ** 53 - 1],
  ["with fewer strides than sizes", [2, 2], [1], 0],
  ["of too many axes", Array(17).fill(1), Array(17).fill(1), 0],
] as [string, number[], number[], number][])
  test(`refuses a view ${what}`, async (t) => {
    const file = await temporaryFile(
      t,
      checkpoint({ fake: new FakeTensor(new FakeStorage("float32", [1, 2, 3, 4]), shape, strides, offset) }),
    );
    await assert.rejects(openCheckpoint(file), (error) => {
      assert(error instanceof ImportError);
      assert.match(error.message, /tensor of shape .* doesn't fit its storage "data\/0" of 4 elements$/);
      return true;
    });
  });

test("refuses a negative size, stride or offset", async (t) => {
  const storage = new FakeStorage("float32", [1, 2, 3, 4]);
  for (const fake of [
    new FakeTensor(storage, [-1]),
    new FakeTensor(storage, [2], [-1]),
    new FakeTensor(storage, [2], [1], -1),
  ])
    await assert.rejects(
      openCheckpoint(await temporaryFile(t, checkpoint({ fake }))),
      /calls torch\._utils\._rebuild_tensor_v2 with other arguments than torch does$/,
    );
});

test("refuses to blow one element up to a terabyte", async (t) => {
  const fake = new FakeTensor(new FakeStorage("float32", [1]), [2 ** 20, 2 ** 20], [0, 0]);
  const get = await load(t, { fake });
  await assert.rejects(
    get("fake").read(),
    /refused to read a tensor of 1099511627776 elements from a storage of 1$/,
  );
});

test("integer tensors parse, and are refused as floats", async (t) => {
  const get = await load(t, {
    int64: tensor("int64", [2], [1, -2]),
    int32: tensor("int32", [1], [1]),
    int16: tensor("int16", [1], [1]),
    int8: tensor("int8", [1], [-1]),
    uint8: tensor("uint8", [1], [1]),
    bool: tensor("bool", [1], [1]),
  });
  for (const name of ["int64", "int32", "int16", "int8", "uint8", "bool"]) {
    assert.equal(get(name).dtype, name);
    await assert.rejects(get(name).read(), new RegExp(`expected a float tensor, got ${name}$`));
  }
});
