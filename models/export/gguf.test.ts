import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { halfBits, quantize, writeGguf } from "./gguf.js";

for (const [value, bits] of [
  [0, 0],
  [1, 0x3c00],
  [65_504, 0x7bff],
  [65_520, 0x7c00],
  [2 ** -24, 1],
  [2 ** -25, 0],
  [3 * 2 ** -25, 2],
  [2 ** -14, 0x0400],
  [1 + 2 ** -11, 0x3c00],
  [1 + 3 * 2 ** -11, 0x3c02],
  [2 - 2 ** -12, 0x4000],
] as const)
  test(`the float16 nearest to ${value} is 0x${bits.toString(16)}`, () => {
    assert.equal(halfBits(value), bits);
  });

test("Q8_0 keeps every value within half a quantization step of its block", () => {
  const values = Float32Array.from({ length: 64 }, (_, i) => (i < 32 ? Math.sin(i) : 100 * Math.cos(i)));
  const bytes = quantize(values);
  assert.equal(bytes.length, 2 * 34);
  for (const [index, value] of values.entries()) {
    const block = 34 * Math.floor(index / 32);
    const greatest = Math.max(
      ...values.subarray(index - (index % 32), index - (index % 32) + 32).map(Math.abs),
    );
    const step = greatest / 127;
    const kept = bytes.readInt8(block + 2 + (index % 32)) * step;
    assert.ok(Math.abs(kept - value) <= step * 0.501, `${value} became ${kept}`);
  }
});

test("a block of zeros stays zero", () => {
  assert.deepEqual(quantize(new Float32Array(32)), Buffer.alloc(34));
});

test("a file has its metadata, offsets and tensors where the format says", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "jai-gguf-"));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, "model.gguf");
  const first = Float32Array.of(1, 2, 3);
  const second = new Float32Array(64).fill(1);
  await writeGguf(file, { answer: 42 }, [
    { name: "a", shape: [3], type: "f32", read: async () => first },
    { name: "b", shape: [2, 32], type: "q8_0", read: async () => second },
  ]);
  const bytes = await readFile(file);
  assert.equal(bytes.toString("latin1", 0, 4), "GGUF");
  assert.equal(bytes.readUInt32LE(4), 3);
  assert.equal(bytes.readBigUInt64LE(8), 2n);
  assert.equal(bytes.readBigUInt64LE(16), 1n);
  const entry = bytes.subarray(24);
  assert.equal(entry.toString("latin1", 8, 14), "answer");
  assert.equal(entry.readUInt32LE(14), 4);
  assert.equal(entry.readUInt32LE(18), 42);
  const place = bytes.subarray(24 + 22);
  assert.equal(place.toString("latin1", 8, 9), "a");
  const next = place.subarray(9 + 4 + 8 + 4 + 8);
  assert.equal(next.toString("latin1", 8, 9), "b");
  assert.equal(next.readUInt32LE(9), 2);
  assert.equal(next.readBigUInt64LE(13), 32n, "the dimensions are reversed");
  assert.equal(next.readBigUInt64LE(21), 2n);
  assert.equal(next.readUInt32LE(29), 8);
  assert.equal(next.readBigUInt64LE(33), 32n, "offsets are aligned");
  const data = bytes.subarray(Math.ceil((bytes.length - next.length + 41) / 32) * 32);
  assert.equal(data.readFloatLE(8), 3);
  assert.deepEqual(data.subarray(32, 32 + 68), quantize(second));
});

test("rows that Q8_0 can't hold are refused", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "jai-gguf-"));
  t.after(() => rm(folder, { recursive: true }));
  const read = async () => new Float32Array(60);
  await assert.rejects(
    writeGguf(join(folder, "model.gguf"), {}, [{ name: "w", shape: [2, 30], type: "q8_0", read }]),
    /^Error: w: Q8_0 takes rows of a multiple of 32 values, got rows of 30$/,
  );
});
