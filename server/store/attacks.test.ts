/*
 * Attacks on the disk below the store, each from a seed: what was acknowledged must be there with its bytes, or be named
 * as lost. JAI_TEST_ATTACKS sets the number of each, JAI_TEST_SEED the seed. Full and read-only disks need root on Linux.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { uniform } from "../../workers/engine/sampling/philox.js";
import { memoryDisk, NEEDS_ROOT } from "../fixtures/small-disk.js";
import { temporaryFolder } from "../jobs/fixture.js";
import { RecordDamaged, Store, type Write } from "./store.js";

const COUNT = Number(process.env.JAI_TEST_ATTACKS ?? 8);
const SEED = Number(process.env.JAI_TEST_SEED ?? 1);

/** A stream of random numbers below `bound`. */
function dice(salt: number): (bound: number) => number {
  let position = 0;
  return (bound) => Math.floor(uniform([SEED, salt], position++) * bound);
}

/** Texts like those of jobs and answers: many short ones, some that fill pages of their own. */
function someWrites(count: number, roll: (bound: number) => number): [string, string][] {
  return Array.from({ length: count }, (_, n) => {
    const length = roll(10) === 0 ? roll(20_000) : roll(700);
    const text = JSON.stringify({ n, text: String.fromCodePoint(0xac00 + roll(10_000)).repeat(length / 3) });
    return [`${["job", "body", "result"][n % 3]}/${String(n).padStart(6, "0")}`, text];
  });
}

interface Opened {
  store: Store;
  lines: string[];
}

async function opened(folder: string, maxBytes?: number): Promise<Opened> {
  const lines: string[] = [];
  const note = (line: string) => void lines.push(line);
  const store = await Store.open(folder, {
    log: { error: note, warn: note, info: note },
    ...(maxBytes && { maxBytes }),
  });
  return { store, lines };
}

/** Checks every text against what was written; returns the keys that are lost, each of which the log must name. */
async function hold(texts: ReadonlyMap<string, string>, { store, lines }: Opened): Promise<string[]> {
  const lost: string[] = [];
  for (const [key, text] of texts) {
    const got = await store.get(key).catch((error) => {
      assert.ok(error instanceof RecordDamaged, String(error));
      return undefined;
    });
    if (got === undefined) lost.push(key);
    else assert.equal(JSON.stringify(got), text, `${key} is not what was written`);
  }
  const log = lines.join("\n");
  const unnamed = log.includes("nobody can tell how many more")
    ? Number.POSITIVE_INFINITY
    : Number(/and (\d+) more whose names are lost too/.exec(log)?.[1] ?? 0);
  const silent = lost.filter((key) => !log.includes(key));
  assert.ok(silent.length <= unnamed, `lost without a word: ${silent.join(", ")}\n${log}`);
  for await (const [key, value] of store.entries("job/")) assert.equal(JSON.stringify(value), texts.get(key));
  return lost;
}

async function filled(folder: string, roll: (bound: number) => number): Promise<Map<string, string>> {
  const writes = someWrites(120, roll);
  const { store } = await opened(folder);
  await store.write(writes);
  // Changed and deleted ones leave room that must not come back.
  const later = writes.filter(() => roll(4) === 0).map(([key]): Write => [key, roll(2) ? '"changed"' : null]);
  for (const write of later) await store.write([write]);
  await store.close();
  const texts = new Map(writes);
  for (const [key, text] of later)
    if (text === null) texts.delete(key);
    else texts.set(key, text);
  return texts;
}

async function damaged(
  context: TestContext,
  salt: number,
  damage: (file: string, roll: (bound: number) => number) => void,
): Promise<void> {
  const roll = dice(salt);
  const sound = temporaryFolder(context);
  const texts = await filled(sound, roll);
  let lost = 0;
  let noticed = 0;
  for (let round = 0; round < COUNT; round++) {
    const folder = join(sound, "..", `${sound.split("/").at(-1)}-${round}`);
    cpSync(sound, folder, { recursive: true });
    try {
      damage(join(folder, "jobs/jobs.sqlite"), roll);
      const all = await opened(folder);
      lost += (await hold(texts, all)).length;
      if (all.lines.length > 0) noticed++;
      await all.store.write([["after", "1"]]);
      await all.store.close();
      const again = await opened(folder);
      assert.deepEqual(again.lines, [], "the damage is gone");
      assert.equal(await again.store.get("after"), 1);
      await again.store.close();
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
  context.diagnostic(
    `${COUNT} rounds: ${noticed} noticed, ${lost} records lost and named, 0 wrong, 0 lost silently`,
  );
}

function flip(file: string, roll: (bound: number) => number): void {
  const bytes = readFileSync(file);
  const at = roll(bytes.length);
  bytes[at]! ^= 1 << roll(8);
  writeFileSync(file, bytes);
}

test("one flipped bit anywhere in the file loses nothing", async (context) => {
  await damaged(context, 1, flip);
});

test("what eight flipped bits lose is named, and nothing else is served for it", async (context) => {
  await damaged(context, 2, (file, roll) => {
    for (let n = 0; n < 8; n++) flip(file, roll);
  });
});

test("what a truncated file has lost is named", async (context) => {
  await damaged(context, 3, (file, roll) => truncateSync(file, roll(statSync(file).size)));
});

test("bits that flip below an open store are never served", async (context) => {
  const roll = dice(4);
  const folder = temporaryFolder(context);
  const texts = await filled(folder, roll);
  const all = await opened(folder);
  for (let round = 0; round < COUNT; round++) {
    flip(join(folder, "jobs/jobs.sqlite"), roll);
    for (const [key, text] of texts) {
      const got = await all.store.get(key).catch(() => undefined);
      if (got !== undefined) assert.equal(JSON.stringify(got), text);
    }
  }
  await all.store.close();
});

const writer = `
  const { Store } = await import(${JSON.stringify(new URL("./store.js", import.meta.url))});
  const store = await Store.open(process.argv[1]);
  for (let n = Number(process.argv[2]); ; n++)
    void store.write([["n/" + n, JSON.stringify("x".repeat((n * 37) % 3000) + n)]]).then(() => console.log(n)),
      n % 5 === 0 && (await store.write([]));
`;

test("kill -9 at any moment loses nothing that was acknowledged", async (context) => {
  const roll = dice(5);
  const folder = temporaryFolder(context);
  let known = 0;
  for (let round = 0; round < COUNT; round++) {
    const child: ChildProcess = spawn(
      process.execPath,
      ["--input-type=module", "-e", writer, folder, String(known)],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const target = known + 1 + roll(60);
    let last = known - 1;
    for await (const line of createInterface({ input: child.stdout! })) {
      last = Math.max(last, Number(line));
      if (last >= target) child.kill("SIGKILL");
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    const { store, lines } = await opened(folder);
    assert.deepEqual(lines, []);
    for (let n = known; n <= last; n++)
      assert.equal(await store.get(`n/${n}`), "x".repeat((n * 37) % 3000) + n, `write ${n}`);
    await store.close();
    known = last + 1;
  }
  assert.ok(known > COUNT);
  context.diagnostic(`${COUNT} kills, ${known} acknowledged writes, 0 lost`);
});

/** Resolves when the store takes writes again. */
function recovered(store: Store): Promise<void> {
  // The store's own timer does not keep the process alive.
  const alive = setInterval(() => {}, 1000);
  return new Promise<void>((resolve) => store.onWritable(resolve)).finally(() => clearInterval(alive));
}

const swaps: Record<string, (folder: string, old: string) => void> = {
  "its folder is deleted": (folder) => rmSync(join(folder, "jobs"), { recursive: true }),
  "the data folder is deleted": (folder) => rmSync(folder, { recursive: true }),
  "its file is deleted": (folder) => rmSync(join(folder, "jobs/jobs.sqlite")),
  "its file is replaced by an older one": (folder, old) => {
    rmSync(join(folder, "jobs/jobs.sqlite"));
    cpSync(join(old, "jobs/jobs.sqlite"), join(folder, "jobs/jobs.sqlite"));
  },
  "its folder is moved away": (folder) => renameSync(join(folder, "jobs"), join(folder, "moved")),
};
for (const [what, swap] of Object.entries(swaps))
  test(`if ${what}, the next write fails, and then all is there again`, async (context) => {
    const roll = dice(6);
    const root = temporaryFolder(context);
    const [folder, old] = [join(root, "data"), join(root, "old")];
    mkdirSync(folder);
    await filled(old, dice(7));
    const texts = await filled(folder, roll);
    const all = await opened(folder);
    swap(folder, old);
    await assert.rejects(all.store.write([["lost", "1"]]), { name: "StoreUnwritable" });
    await assert.rejects(all.store.write([["lost", "1"]]), { name: "StoreUnwritable" });
    assert.match(all.lines.join("\n"), /jobs\.sqlite was removed or replaced while it was in use/);
    await recovered(all.store);
    await all.store.write([["found", "1"]]);
    await assert.rejects(Store.open(folder), /another server uses it/);
    await all.store.close();
    const again = await opened(folder);
    assert.deepEqual(again.lines, []);
    assert.deepEqual(await hold(texts, again), []);
    assert.equal(await again.store.get("found"), 1);
    await again.store.close();
  });

test("a disk that is full at any moment loses nothing that was acknowledged", async (context) => {
  const small = memoryDisk(context, 4);
  if (small === null) return context.skip(NEEDS_ROOT);
  const disk = small.path;
  const roll = dice(8);
  let folder = join(disk, "data");
  let texts = new Map<string, string>();
  let refused = 0;
  let fullRounds = 0;
  let all = await opened(folder);
  for (let round = 0; round < COUNT; round++) {
    // Later, the file has so many free pages of its own that it doesn't notice a full disk.
    if (round % 3 === 2) {
      await all.store.close();
      rmSync(folder, { recursive: true });
      folder = join(disk, `data-${round}`);
      texts = new Map();
      all = await opened(folder);
    }
    const filler = join(disk, "filler");
    const write = async (n: number) => {
      const key = `n/${round}-${n}`;
      const text = JSON.stringify("y".repeat(roll(2000)));
      const isDone = await all.store.write([[key, text]]).then(
        () => true,
        () => false,
      );
      if (isDone) texts.set(key, text);
      else refused++;
    };
    const from = roll(20);
    for (let n = 0; n < from; n++) await write(n);
    // Leave a random rest, so that the disk gets full within a transaction.
    small.fill(filler, roll(8) * 4096);
    await Promise.all(Array.from({ length: 20 }, (_, n) => write(100 + n)));
    if (!all.store.isWritable) fullRounds++;
    const again = all.store.isWritable ? null : recovered(all.store);
    rmSync(filler);
    await again;
    await write(1000);
    if (roll(2) === 0) {
      await all.store.close();
      all = await opened(folder);
      assert.deepEqual(all.lines, []);
    }
    // Otherwise the small disk is full of them after some rounds.
    for (const key of [...texts.keys()].slice(0, -30)) {
      await all.store.write([[key, null]]);
      texts.delete(key);
    }
    assert.deepEqual(await hold(texts, all), []);
  }
  await all.store.close();
  const last = await opened(folder);
  assert.deepEqual(await hold(texts, last), []);
  await last.store.close();
  context.diagnostic(`${fullRounds} full disks, ${refused} writes refused, 0 acknowledged ones lost`);
  assert.ok(refused > 0);
});

test("a disk that becomes read-only is told, and used again when it can be written", async (context) => {
  const disk = memoryDisk(context, 8);
  if (disk === null) return context.skip(NEEDS_ROOT);
  const { remount } = disk;
  const folder = join(disk.path, "data");
  const texts = await filled(folder, dice(9));
  const all = await opened(folder);
  // A file that is open for writing keeps the disk from becoming read-only, unless the error comes from below.
  try {
    remount("ro");
  } catch {
    await all.store.close();
    remount("ro");
    await assert.rejects(Store.open(folder), /read-only|no permission/);
    remount("rw");
    const again = await opened(folder);
    assert.deepEqual(await hold(texts, again), []);
    return again.store.close();
  }
  await assert.rejects(all.store.write([["lost", "1"]]), { name: "StoreUnwritable" });
  assert.deepEqual(await hold(texts, all), []);
  remount("rw");
  await recovered(all.store);
  await all.store.close();
});

test("the file never grows past its bound, and takes writes again when something is deleted", async (context) => {
  const folder = temporaryFolder(context);
  const { store } = await opened(folder, 1024 * 1024);
  const text = JSON.stringify("z".repeat(10_000));
  const kept: string[] = [];
  for (let n = 0; store.isWritable; n++)
    await store.write([[`n/${n}`, text]]).then(
      () => void kept.push(`n/${n}`),
      () => {},
    );
  const file = join(folder, "jobs/jobs.sqlite");
  assert.ok(statSync(file).size <= 1024 * 1024);
  assert.ok(!existsSync(`${file}-journal`) || statSync(`${file}-journal`).size <= 1024 * 1024);
  if (!store.isWritable) await recovered(store);
  await store.write(kept.map((key) => [key, null]));
  await store.write([["n/again", text]]);
  await store.close();
});
