import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { type TestContext, test } from "node:test";
import { temporaryFolder } from "../jobs/fixture.js";
import type { Log } from "../log.js";
import { writeOldStore } from "./fixture.js";
import { Store } from "./store.js";
import { takeAlong } from "./take-along.js";

/** On Linux, a folder on another file system. */
const SHARED_MEMORY = "/dev/shm";

interface Places {
  old: string;
  folder: string;
  lines: string[];
  take: () => Promise<void>;
}

/** An old folder with one record, a new folder below `parent`, and the log lines. */
async function places(t: TestContext, parent = temporaryFolder(t)): Promise<Places> {
  const old = join(temporaryFolder(t), "data");
  const folder = join(parent, "8000");
  mkdirSync(folder);
  await keep(old, "old");
  const lines: string[] = [];
  const note = (message: string) => void lines.push(message);
  const log: Log = { error: note, warn: note, info: note, debug: note };
  return { old, folder, lines, take: () => takeAlong(old, folder, log) };
}

async function keep(folder: string, text: string): Promise<void> {
  const store = await Store.open(folder);
  await store.write([["text", JSON.stringify(text)]]);
  await store.close();
}

async function kept(folder: string): Promise<unknown> {
  const store = await Store.open(folder);
  const text = await store.get("text");
  await store.close();
  return text;
}

/** Checks a finished move: the new folder has the record and nothing else, the old one is gone. */
async function assertMoved({ old, folder, lines }: Places): Promise<void> {
  assert.equal(existsSync(old), false);
  assert.deepEqual(readdirSync(folder), ["jobs"]);
  assert.equal(await kept(folder), "old");
  assert.equal(existsSync(join(folder, "jobs/copied-from")), false);
  assert.deepEqual(lines, [
    `the jobs of an earlier version were moved from ${join(old, "jobs")} to ${join(folder, "jobs")}`,
  ]);
}

async function assertLeft({ old, folder, lines }: Places, why: string): Promise<void> {
  assert.deepEqual(lines, [
    `jobs of an earlier version stay in ${old}: ${why}; JAI_DATA_DIR=${old} serves them there`,
  ]);
  assert.equal(await kept(old), "old");
  assert.deepEqual(
    readdirSync(folder).filter((name) => name !== "jobs"),
    [],
  );
}

test("jobs are moved once, and other files in the old folder stay", async (t) => {
  const there = await places(t);
  const inode = statSync(join(there.old, "jobs")).ino;
  await there.take();
  assert.equal(statSync(join(there.folder, "jobs")).ino, inode);
  await assertMoved(there);
  await there.take();
  assert.equal(there.lines.length, 1);
});

test("the records of 0.1.0 are there after the move", async (t) => {
  const there = await places(t);
  rmSync(there.old, { recursive: true });
  await writeOldStore(there.old, { text: '"old"' });
  await there.take();
  await assertMoved(there);
});

test("without jobs in the old folder nothing is made or logged", async (t) => {
  const there = await places(t);
  rmSync(join(there.old, "jobs"), { recursive: true });
  await there.take();
  assert.deepEqual([readdirSync(there.old), readdirSync(there.folder), there.lines], [[], [], []]);
});

test("to another file system, jobs are copied and then removed", {
  skip: !existsSync(SHARED_MEMORY) && `${SHARED_MEMORY} is Linux's`,
}, async (t) => {
  const parent = mkdtempSync(join(SHARED_MEMORY, "jai-take-along-"));
  t.after(() => rmSync(parent, { recursive: true }));
  const there = await places(t, parent);
  assert.notEqual(statSync(parent).dev, statSync(there.old).dev);
  await there.take();
  await assertMoved(there);
});

const claimOf = ({ old, folder }: Places) => join(old, `jobs-moving-to-${basename(folder)}`);

test("a copy interrupted by a crash is started again", async (t) => {
  const there = await places(t);
  renameSync(join(there.old, "jobs"), claimOf(there));
  mkdirSync(join(there.folder, "jobs-incoming"));
  writeFileSync(join(there.folder, "jobs-incoming/CURRENT"), "MANIFEST-half");
  await there.take();
  await assertMoved(there);
});

test("an original left by a crash is removed, and not moved again over newer jobs", async (t) => {
  const there = await places(t);
  renameSync(join(there.old, "jobs"), claimOf(there));
  cpSync(claimOf(there), join(there.folder, "jobs"), { recursive: true });
  writeFileSync(join(there.folder, "jobs/copied-from"), claimOf(there));
  await keep(there.folder, "since");
  await there.take();
  assert.equal(await kept(there.folder), "since");
  assert.deepEqual(readdirSync(there.old), []);
  assert.deepEqual(readdirSync(there.folder), ["jobs"]);
  assert.equal(existsSync(join(there.folder, "jobs/copied-from")), false);
});

test("jobs in use by a server stay until it ends", async (t) => {
  const there = await places(t);
  const running = await Store.open(there.old);
  await there.take();
  await running.close();
  await assertLeft(there, "another server uses or moves them");
  there.lines.length = 0;
  // The server that found them in use has since made a store of its own, which is still empty.
  await (await Store.open(there.folder)).close();
  await there.take();
  await assertMoved(there);
});

test("a new folder with jobs of its own keeps them", async (t) => {
  const there = await places(t);
  await keep(there.folder, "new");
  await there.take();
  await assertLeft(there, `${there.folder} has jobs of its own`);
  assert.equal(await kept(there.folder), "new");
});

test("a damaged store is not moved", async (t) => {
  const there = await places(t);
  const [manifest] = readdirSync(join(there.old, "jobs")).filter((name) => name.startsWith("MANIFEST"));
  truncateSync(join(there.old, "jobs", manifest!), 3);
  await there.take();
  assert.match(there.lines.join("\n"), /^jobs of an earlier version stay in .*: Corruption: /);
  assert.ok(existsSync(join(there.old, "jobs/CURRENT")));
  assert.deepEqual(readdirSync(there.folder), []);
});

test("of several servers that start at once on different ports, one takes the jobs", async (t) => {
  const there = await places(t);
  const folders = Array.from({ length: 4 }, (_, index) => join(there.folder, "..", String(9000 + index)));
  const lines: string[] = [];
  const note = (message: string) => void lines.push(message);
  await Promise.all(
    folders.map((folder) => {
      mkdirSync(folder);
      return takeAlong(there.old, folder, { error: note, warn: note, info: note, debug: note });
    }),
  );
  const texts = await Promise.all(folders.map(kept));
  assert.deepEqual(
    texts.filter((text) => text !== undefined),
    ["old"],
  );
  assert.equal(lines.filter((line) => line.includes("were moved")).length, 1, lines.join("\n"));
  assert.equal(existsSync(there.old), false);
});

test("a second server on the same port fails while the first moves the jobs", async (t) => {
  const there = await places(t);
  const results = await Promise.allSettled([there.take(), there.take()]);
  const refused = results.filter((result) => result.status === "rejected");
  assert.equal(refused.length, 1);
  assert.equal(
    refused[0]!.reason.message,
    `cannot keep jobs in ${there.folder}: another server uses it; name another folder (JAI_DATA_DIR) and port (JAI_PORT)`,
  );
  await assertMoved(there);
});
