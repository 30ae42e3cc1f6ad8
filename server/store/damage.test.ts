/* A start reads only small records, the index and the inner pages: what it leaves out is found without it. */
import assert from "node:assert/strict";
import { chmodSync, cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { asNobody } from "../../ops/as-nobody.js";
import { temporaryFolder } from "../jobs/fixture.js";
import { asideOf } from "./aside.js";
import { inspect, repair } from "./inspect.js";
import { PAGE_BYTES } from "./raw-rows.js";
import { Store, type Write } from "./store.js";

const COUNT = 300;
const name = (n: number) => `body/job-${String(n).padStart(4, "0")}`;
const textOf = (n: number) => `${n}:${"text ".repeat(400)}`;
const fileOf = (folder: string) => join(folder, "jobs/jobs.sqlite");

interface Watched {
  store: Store;
  lines: string[];
  /** Resolves when the log has a line. */
  said: (pattern: RegExp) => Promise<void>;
}

async function watched(folder: string): Promise<Watched> {
  const lines: string[] = [];
  const waiting: (() => void)[] = [];
  const note = (line: string) => {
    lines.push(line);
    for (const wake of waiting.splice(0)) wake();
  };
  const store = await Store.open(folder, { log: { error: note, warn: note, info: note } });
  const said = async (pattern: RegExp) => {
    // The store's own timers do not keep the process alive.
    const alive = setInterval(() => {}, 1000);
    while (!lines.some((line) => pattern.test(line))) await new Promise<void>((wake) => waiting.push(wake));
    clearInterval(alive);
  };
  return { store, lines, said };
}

async function filled(context: TestContext): Promise<string> {
  const folder = temporaryFolder(context);
  const { store } = await watched(folder);
  const writes = Array.from({ length: COUNT }, (_, n): Write[] => [
    [`job/${n}`, String(n)],
    [name(n), JSON.stringify(textOf(n))],
  ]);
  await store.write(writes.flat());
  await store.close();
  return folder;
}

/** Changes the file; `occurrences` says where a text is. */
function damage(
  folder: string,
  change: (bytes: Buffer, occurrences: (text: string) => number[]) => void,
): void {
  const bytes = readFileSync(fileOf(folder));
  const occurrences = (text: string) => {
    const found: number[] = [];
    for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) found.push(at);
    return found;
  };
  change(bytes, occurrences);
  writeFileSync(fileOf(folder), bytes);
}

function flip(bytes: Buffer, at: number): void {
  bytes[at]! ^= 8;
}

async function holdAll(store: Store, without: readonly number[] = []): Promise<void> {
  for (let n = 0; n < COUNT; n++) {
    if (without.includes(n)) await assert.rejects(store.get(name(n)), { name: "RecordDamaged" });
    else assert.equal(await store.get(name(n)), textOf(n));
    assert.equal(await store.get(`job/${n}`), n);
  }
}

test("a copy that has gone bad is made anew soon after the start", async (context) => {
  const folder = await filled(context);
  for (const copy of [0, 1]) {
    damage(folder, (bytes, occurrences) => flip(bytes, occurrences(`"${textOf(100)}`)[copy]! + 50));
    assert.ok((await inspect(folder)).damage);
    const { store, said } = await watched(folder);
    await said(/of 1 records one copy was damaged, and was made anew/);
    await store.close();
    assert.equal((await inspect(folder)).damage, null);
  }
});

test("a copy that has gone bad is made anew when the record is read", async (context) => {
  const folder = await filled(context);
  damage(folder, (bytes, occurrences) => flip(bytes, occurrences(`"${textOf(100)}`)[0]! + 50));
  const { store, lines } = await watched(folder);
  assert.equal(await store.get(name(100)), textOf(100));
  assert.match(lines.join("\n"), new RegExp(`^the stored record ${name(100)} is damaged; its copy is used$`));
  await store.close();
  assert.equal((await inspect(folder)).damage, null);
});

test("a large record whose both copies are bad is named soon after the start", async (context) => {
  const folder = await filled(context);
  damage(folder, (bytes, occurrences) => {
    for (const at of occurrences(`"${textOf(100)}`)) flip(bytes, at + 50);
  });
  const { store, said } = await watched(folder);
  await said(new RegExp(`the stored record ${name(100)} is damaged, and so is its copy: it is lost`));
  await holdAll(store, [100]);
  await store.close();
});

test("an index that is damaged hides no record", async (context) => {
  const folder = await filled(context);
  damage(folder, (bytes, occurrences) => {
    // Of its three places the index's is the one without the text.
    const at = occurrences(name(100)).find((at) => !bytes.toString("utf8", at, at + 100).includes("text"))!;
    flip(bytes, at + name(100).length - 1);
  });
  const { store, lines } = await watched(folder);
  assert.match(lines[0]!, /the store was damaged \(.*\): 600 records are kept, 0 are lost/);
  await holdAll(store);
  assert.equal((await store.keys("body/")).length, COUNT);
  await store.close();
});

test("a damaged page hides no record, and the write that finds it is made after a repair", async (context) => {
  const folder = await filled(context);
  damage(folder, (bytes, occurrences) => {
    const at = occurrences(`"${textOf(100)}`)[0]!;
    bytes[at - (at % PAGE_BYTES)] = 0xff;
  });
  const { store, lines, said } = await watched(folder);
  assert.deepEqual(lines, [], "a start does not read it");
  assert.equal(await store.get(name(100)), textOf(100));
  await assert.rejects(store.write([[name(100), '"new"']]), { name: "StoreUnwritable" });
  await said(/the store was damaged \(.*\): 600 records are kept, 0 are lost/);
  await said(/the store can be written again/);
  await holdAll(store);
  await store.write([[name(100), '"new"']]);
  assert.equal(await store.get(name(100)), "new");
  await store.close();
  assert.equal((await inspect(folder)).damage, null);
});

test("a pointer between pages that is wrong is found at the start", async (context) => {
  const folder = await filled(context);
  const inner = (bytes: Buffer) => {
    for (let page = 1; page < bytes.length / PAGE_BYTES; page++)
      if (bytes[page * PAGE_BYTES] === 0x05) return page * PAGE_BYTES;
    throw new Error("expected an inner page");
  };
  damage(folder, (bytes) => {
    const start = inner(bytes);
    const [one, other] = [0, 1].map((cell) => start + bytes.readUInt16BE(start + 12 + 2 * cell));
    bytes.copyWithin(one!, other!, other! + 4);
  });
  const { store, lines } = await watched(folder);
  assert.match(lines[0]!, /the store was damaged \(an inner page is damaged \(page \d+ is used twice\)\)/);
  await holdAll(store);
  await store.close();
});

test("a wrong bit in a header's constants or in its number of pages loses nothing, and stops no start", async (context) => {
  const sound = await filled(context);
  for (const at of [16, 17, 18, 19, 20, 28, 29, 30, 31]) {
    const folder = temporaryFolder(context);
    cpSync(sound, folder, { recursive: true });
    damage(folder, (bytes) => {
      bytes[at]! ^= 2;
    });
    const { store, lines } = await watched(folder);
    try {
      assert.match(
        lines.join("\n"),
        /the store was damaged .*: 600 records are kept, 0 are lost/,
        `byte ${at}`,
      );
      assert.equal(await store.get(name(COUNT - 1)), textOf(COUNT - 1));
      await store.write([["after", "1"]]);
    } finally {
      await store.close();
    }
  }
});

test("a file that may not be written is not taken for a damaged one", async (context) => {
  const folder = await filled(context);
  chmodSync(fileOf(folder), 0o444);
  const files = readdirSync(join(folder, "jobs"));
  const paths = [folder, join(folder, "jobs"), ...files.map((file) => join(folder, "jobs", file))];
  await asNobody(paths, async () => {
    await assert.rejects(Store.open(folder), { name: "StoreError" });
    await assert.rejects(inspect(folder), { name: "StoreError", message: /^cannot read / });
    await assert.rejects(repair(folder));
  });
  assert.deepEqual(asideOf(fileOf(folder)), []);
});

test("a damaged file that is larger than its bound is repaired at the start", async (context) => {
  const folder = await filled(context);
  damage(folder, (bytes) => bytes.fill(0xff, 2 * PAGE_BYTES, 3 * PAGE_BYTES));
  const store = await Store.open(folder, { maxBytes: 1024 * 1024 });
  await holdAll(store);
  await store.close();
});

test("of the files that repairs move aside the newest two are kept, and the log names what is removed", async (context) => {
  const folder = await filled(context);
  const made: string[] = [];
  for (let round = 0; round < 4; round++) {
    // The second page is a map that only a vacuum reads; the third begins a tree.
    damage(folder, (bytes) => bytes.fill(0xff, 2 * PAGE_BYTES, 3 * PAGE_BYTES));
    const { store, lines } = await watched(folder);
    made.push(/the damaged file is now ([^,]+),/.exec(lines.join("\n"))![1]!);
    const removed = lines.flatMap((line) => /^removed (.*) \(\d+ bytes\)/.exec(line)?.[1] ?? []);
    assert.deepEqual(removed, round < 2 ? [] : [made[round - 2]]);
    await holdAll(store);
    await store.close();
  }
  const { aside } = await inspect(folder);
  assert.deepEqual(
    aside.map(({ path }) => path),
    [made[3], made[2]],
  );
});

test("records that a start has read are told once, then as they are", async (context) => {
  const folder = await filled(context);
  const { store } = await watched(folder);
  const all = async () => {
    const found: unknown[] = [];
    for await (const [, value] of store.entries("job/")) found.push(value);
    return found.length;
  };
  assert.equal(await all(), COUNT);
  assert.equal(await all(), COUNT);
  const first = store.entries("job/")[Symbol.asyncIterator]();
  await first.next();
  await store.write([
    ["job/0", null],
    [name(0), null],
  ]);
  assert.equal(await all(), COUNT - 1);
  assert.equal((await store.keys("body/")).length, COUNT - 1);
  await first.return!(undefined);
  await store.close();
});
