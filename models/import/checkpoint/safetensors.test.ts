import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { type TestContext, test } from "node:test";
import { type FakeTensor, tensor } from "../../fixtures/checkpoint-writer.js";
import { temporaryFile } from "../../fixtures/gpt.js";
import { rawSafetensors, type SafetensorsHeader, safetensors } from "../../fixtures/safetensors-writer.js";
import { mulberry32 } from "../../recipe/random.js";
import { ImportError } from "./error.js";
import { type OpenSafetensors, openSafetensors } from "./safetensors.js";

const two = (): [string, FakeTensor][] => [
  ["a", tensor("float32", [2, 3], [1, 2, 3, 4, 5, 6])],
  ["b", tensor("float16", [2], [0.5, -2])],
];

async function load(t: TestContext, bytes: Buffer): Promise<OpenSafetensors> {
  const opened = await openSafetensors(await temporaryFile(t, bytes));
  t.after(() => opened.close());
  return opened;
}

async function refuses(t: TestContext, bytes: Buffer, message: RegExp): Promise<void> {
  const file = await temporaryFile(t, bytes);
  await assert.rejects(openSafetensors(file), (error) => {
    assert(error instanceof ImportError);
    assert(error.message.startsWith(`${file}: `) && !error.message.includes("\n"), error.message);
    assert.match(error.message, message);
    return true;
  });
}

for (const dtype of ["float32", "float16", "bfloat16", "float64"] as const)
  test(`reads ${dtype}`, async (t) => {
    const values = [0, 1, -1, 0.5, -2.75, 96];
    const { tensors } = await load(t, safetensors([["x", tensor(dtype, [3, 2], values)]]));
    assert.deepEqual(tensors.get("x")?.shape, [3, 2]);
    assert.deepEqual([...(await tensors.get("x")!.read())], values);
  });

test("shows integer tensors, and refuses them as floats", async (t) => {
  const dtypes = ["int8", "uint8", "int16", "int32", "int64", "bool"] as const;
  const { tensors } = await load(t, safetensors(dtypes.map((dtype) => [dtype, tensor(dtype, [2], [1, 0])])));
  for (const dtype of dtypes) {
    assert.equal(tensors.get(dtype)?.dtype, dtype);
    await assert.rejects(tensors.get(dtype)!.read(), new RegExp(`expected a float tensor, got ${dtype}$`));
  }
});

test("metadata may be there or not, and says nothing about the tensors", async (t) => {
  const plain = await load(t, safetensors(two()));
  const told = await load(t, safetensors(two(), { metadata: { format: "pt" } }));
  assert.deepEqual([...told.tensors.keys()], [...plain.tensors.keys()]);
  assert.deepEqual([...(await told.tensors.get("b")!.read())], [0.5, -2]);
});

test("a scalar and a tensor without elements take no room that isn't theirs", async (t) => {
  const { tensors } = await load(
    t,
    safetensors([
      ["none", tensor("float32", [0, 4], [])],
      ["one", tensor("float32", [], [7])],
    ]),
  );
  assert.deepEqual([...(await tensors.get("none")!.read())], []);
  assert.deepEqual([...(await tensors.get("one")!.read())], [7]);
});

for (const [what, change, message] of [
  ["a hole", { data_offsets: [25, 29] }, /data of "b" to begin at byte 24, where .* got 25$/],
  ["an overlap", { data_offsets: [20, 24] }, /data of "b" to begin at byte 24, .* got 20$/],
  ["offsets in the wrong order", { data_offsets: [28, 24] }, /not bytes 28 to 24, for the tensor "b"$/],
  [
    "an end past the file",
    { shape: [2000], data_offsets: [24, 4024] },
    /4024 bytes .* got 28; is it truncated/,
  ],
  ["a shape that doesn't fit", { shape: [3] }, /6 bytes \(F16, shape \[3\]\), not bytes 24 to 28/],
  ["a shape that overflows", { shape: [2 ** 52, 2 ** 52] }, /not bytes 24 to 28/],
  ["a negative size", { shape: [-2] }, /a shape of whole numbers for the tensor "b"/],
  ["a fractional offset", { data_offsets: [24, 28.5] }, /two data_offsets for the tensor "b"/],
  ["too large an offset", { data_offsets: [24, 2 ** 60] }, /two data_offsets/],
  ["three offsets", { data_offsets: [24, 26, 28] }, /two data_offsets/],
  ["an unknown dtype", { dtype: "F8_E4M3" }, /one of the dtypes F32, .*, not "F8_E4M3", for the tensor "b"$/],
  ["a dtype named like a method", { dtype: "toString" }, /not "toString"/],
  ["a field of its own", { file: "/etc/passwd" }, /expected no field "file" for the tensor "b"$/],
  ["too many axes", { shape: [2, ...Array(16).fill(1)] }, /doesn't fit its storage "b"/],
] as [string, SafetensorsHeader, RegExp][])
  test(`refuses a tensor with ${what}`, async (t) => {
    const tamper = (header: SafetensorsHeader) => Object.assign(header.b as object, change);
    await refuses(t, safetensors(two(), { tamper }), message);
  });

test("refuses data behind the last tensor", async (t) => {
  const bytes = Buffer.concat([safetensors(two()), Buffer.alloc(1)]);
  await refuses(t, bytes, /expected 28 bytes of data behind the header, got 29$/);
});

test("refuses a header that is none", async (t) => {
  const data = Buffer.alloc(8);
  await refuses(t, Buffer.alloc(0), /expected a safetensors file, got one of 0 bytes$/);
  await refuses(t, rawSafetensors("[]", data), /expected a header of JSON, .* doesn't begin with \{/);
  await refuses(t, rawSafetensors('{"a":', data), /expected a header of JSON/);
  await refuses(t, rawSafetensors('{"a":1}', data), /expected an object for the tensor "a"$/);
  await refuses(t, rawSafetensors(Buffer.from('{"\xff":1}', "latin1"), data), /it isn't UTF-8/);
  await refuses(t, rawSafetensors('{"__metadata__":{"a":1}}', Buffer.alloc(0)), /"__metadata__" .* texts$/);
});

test("refuses a header that is longer than the file, or than any header", async (t) => {
  const cut = safetensors(two());
  cut.writeBigUInt64LE(BigInt(cut.length), 0);
  await refuses(t, cut, /but the file has only \d+ left; is it truncated\?$/);
  for (const length of [2n ** 40n, 2n ** 64n - 1n]) {
    cut.writeBigUInt64LE(length, 0);
    await refuses(t, cut, /a header of at most 16777216 bytes, got \d+$/);
  }
});

test("refuses deep nesting before it is parsed", async (t) => {
  const deep = `{"a":${"[".repeat(1 << 20)}`;
  await refuses(t, rawSafetensors(deep, Buffer.alloc(0)), /it is nested deeper than 3/);
});

test("refuses a shape of a million axes", async (t) => {
  const shape = `[${"1,".repeat(1 << 20)}1]`;
  const header = `{"a":{"dtype":"F32","shape":${shape},"data_offsets":[0,4]}}`;
  await refuses(t, rawSafetensors(header, Buffer.alloc(4)), /a shape of whole numbers for the tensor "a"$/);
});

test("a tensor named __proto__ is a tensor like any other", async (t) => {
  const header = '{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}';
  const { tensors } = await load(t, rawSafetensors(header, Buffer.alloc(4)));
  assert.deepEqual([...tensors.keys()], ["__proto__"]);
});

test("two thousand corrupted headers are read or refused, never worse", { timeout: 120_000 }, async (t) => {
  const random = mulberry32(11);
  const pick = (below: number) => Math.floor(random() * below);
  const whole = safetensors(two(), { metadata: { format: "pt" } });
  const headerEnd = whole.length - 28;
  const file = await temporaryFile(t, whole);
  let refused = 0;
  for (let round = 0; round < 2000; round++) {
    let bytes = Buffer.from(whole);
    const at = pick(headerEnd);
    if (round % 4 === 0) bytes = bytes.subarray(0, pick(bytes.length));
    else if (round % 4 === 1)
      bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from('9[{"'[pick(4)]!), bytes.subarray(at)]);
    else for (let flips = 1 + pick(4); flips > 0; flips--) bytes[pick(headerEnd)]! ^= 1 << pick(8);
    await writeFile(file, bytes);
    try {
      const opened = await openSafetensors(file);
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
