import assert from "node:assert/strict";
import { dirname } from "node:path";
import { type TestContext, test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { type ZipEntry, zip } from "../../fixtures/checkpoint-writer.js";
import { temporaryFile } from "../../fixtures/gpt.js";
import { Archive } from "./archive.js";
import { ImportError } from "./error.js";

const entries: ZipEntry[] = [
  { name: "ckpt/data.pkl", data: Buffer.from("pickle") },
  { name: "ckpt/data/0", data: Buffer.from("0123456789") },
];

async function open(t: TestContext, bytes: Uint8Array): Promise<Archive> {
  const archive = await Archive.open(await temporaryFile(t, bytes));
  t.after(() => archive.close());
  return archive;
}

async function refuses(t: TestContext, bytes: Uint8Array, message: RegExp): Promise<void> {
  const file = await temporaryFile(t, bytes);
  await assert.rejects(Archive.open(file), (error) => {
    assert(error instanceof ImportError);
    assert(error.message.startsWith(`${file}: `) && !error.message.includes("\n"), error.message);
    assert.match(error.message, message);
    return true;
  });
}

for (const zip64 of [false, true])
  test(`reads a range of a member, ${zip64 ? "Zip64" : "plain zip"}`, async (t) => {
    const archive = await open(t, zip(entries, { zip64 }));
    const into = new Uint8Array(4);
    await archive.read("data/0", 3, into);
    assert.equal(Buffer.from(into).toString(), "3456");
    assert.equal(archive.size("data/0"), 10);
    assert.equal(archive.size("data/1"), undefined);
  });

test("members can be read side by side", async (t) => {
  const many = Array.from({ length: 200 }, (_, index) => ({
    name: `ckpt/data/${index}`,
    data: Buffer.from(String(index).padEnd(100)),
  }));
  const archive = await open(t, zip([entries[0]!, ...many]));
  const read = await Promise.all(
    many.map(async (_, index) => {
      const into = Buffer.alloc(100);
      await archive.read(`data/${index}`, 0, into);
      return Number(into.toString());
    }),
  );
  assert.deepEqual(
    read,
    many.map((_, index) => index),
  );
});

test("the archive's folder may have any name, and what lies elsewhere isn't the checkpoint's", async (t) => {
  const renamed = entries.map((entry) => ({ ...entry, name: entry.name.replace("ckpt", "모델 v2") }));
  const archive = await open(t, zip([...renamed, { name: "other/data/7", data: Buffer.from("x") }]));
  assert.equal(archive.size("data.pkl"), 6);
  assert.equal(archive.size("data/7"), undefined);
});

test("refuses a range outside of the member", async (t) => {
  const archive = await open(t, zip(entries));
  await assert.rejects(archive.read("data/0", 8, new Uint8Array(4)), RangeError);
});

test("refuses a compressed entry", async (t) => {
  const deflated = deflateRawSync(Buffer.from("0123456789"));
  const entry = { name: "ckpt/data/0", data: deflated, method: 8, size: 10 };
  await refuses(t, zip([entries[0]!, entry]), /"ckpt\/data\/0" is compressed \(method 8, \d+ to 10 bytes\)/);
});

test("refuses a zip bomb without unpacking it", async (t) => {
  const bomb = deflateRawSync(Buffer.alloc(64 << 20));
  const before = process.memoryUsage().arrayBuffers;
  await refuses(
    t,
    zip([{ name: "ckpt/data.pkl", data: bomb, method: 8, size: 64 << 20 }]),
    /"ckpt\/data\.pkl" is compressed \(method 8, \d+ to 67108864 bytes\)/,
  );
  assert(process.memoryUsage().arrayBuffers - before < 8 << 20);
});

test("refuses a stored entry that claims to unpack to more", async (t) => {
  const entry = { ...entries[1]!, size: 1 << 30 };
  await refuses(t, zip([entries[0]!, entry]), /is compressed \(method 0, 10 to 1073741824 bytes\)/);
});

test("refuses an encrypted entry", async (t) => {
  await refuses(t, zip([entries[0]!, { ...entries[1]!, flags: 1 }]), /"ckpt\/data\/0" is encrypted/);
});

test("refuses two entries of one name", async (t) => {
  await refuses(t, zip([...entries, entries[1]!]), /two entries named "ckpt\/data\/0"/);
});

test("refuses entries that overlap", async (t) => {
  await refuses(
    t,
    zip([...entries, { name: "ckpt/data/1", data: Buffer.alloc(0), offset: 0 }]),
    /corrupt zip archive: ".*" \(\d+ bytes from byte 0\) overlaps/,
  );
});

for (const [size, zip64] of [
  [1 << 20, false],
  [2 ** 53 - 1, true],
] as const)
  test(`refuses an entry of ${size} bytes in a small file`, async (t) => {
    const entry = { ...entries[1]!, size, compressedSize: size };
    await refuses(t, zip([entries[0]!, entry], { zip64 }), /runs past the file's end/);
  });

for (const offset of [1 << 20, 2 ** 53])
  test(`refuses an entry at byte ${offset} of a small file`, async (t) => {
    await refuses(
      t,
      zip([entries[0]!, { ...entries[1]!, offset }], { zip64: true }),
      /runs past the file's end/,
    );
  });

test("refuses a directory at a position that no file has", async (t) => {
  const bytes = zip(entries, { zip64: true });
  bytes.writeBigUInt64LE(2n ** 64n - 1n, bytes.length - 22 - 12);
  await refuses(t, bytes, /lies past the end of the file/);
});

test("refuses an entry whose local header makes it run into the next one", async (t) => {
  const bytes = zip(entries);
  const extraLength = 28;
  bytes.writeUInt16LE(bytes.readUInt16LE(extraLength) + 1, extraLength);
  const archive = await open(t, bytes);
  await assert.rejects(
    archive.read("data.pkl", 0, new Uint8Array(6)),
    /"ckpt\/data\.pkl" runs into what follows/,
  );
});

test("refuses an archive without a pickle, and one with two", async (t) => {
  await refuses(t, zip([entries[1]!]), /got a zip archive with no data\.pkl/);
  await refuses(t, zip([...entries, { ...entries[0]!, name: "b/data.pkl" }]), /zip archive with 2 data\.pkl/);
});

test("says what came instead of a checkpoint", async (t) => {
  const kinds: [Buffer, RegExp][] = [
    [Buffer.alloc(0), /got an empty file$/],
    [Buffer.from("안녕하세요, 모델입니다"), /got what looks like text$/],
    [
      Buffer.from("\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "latin1"),
      /got a bare pickle, .* torch\.save it again/,
    ],
    [Buffer.from([0x1f, 0x8b, 8, 0, 0]), /got a gzip file/],
    [Buffer.from("GGUF\x03\0\0\0"), /got a GGUF file$/],
    [Buffer.from('\x10\0\0\0\0\0\0\0{"a":{}}      '), /got what looks like a safetensors file$/],
    [Buffer.from([1, 2, 3]), /got a file that starts with the bytes 010203$/],
  ];
  for (const [bytes, message] of kinds) await refuses(t, bytes, message);
});

test("refuses a folder and a file that isn't there", async (t) => {
  const file = await temporaryFile(t, Buffer.alloc(0));
  await assert.rejects(Archive.open(dirname(file)), /expected a PyTorch checkpoint, but this is a folder$/);
  await assert.rejects(Archive.open(`${file}.missing`), /no such file$/);
  await assert.rejects(Archive.open("/dev/null"), /not a regular file$/);
});
