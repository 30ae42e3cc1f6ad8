import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ClassicLevel } from "classic-level";
import { asNobody } from "../../ops/as-nobody.js";
import { temporaryFolder } from "../jobs/fixture.js";
import { writeOldStore } from "./fixture.js";
import { DATABASE, Store } from "./store.js";
import { Thread } from "./thread.js";

async function all(store: Store, prefix: string): Promise<[string, unknown][]> {
  const found: [string, unknown][] = [];
  for await (const entry of store.entries(prefix)) found.push(entry);
  return found;
}

test("written values are there after a restart, in the order of their keys", async (context) => {
  const folder = join(temporaryFolder(context), "made", "here");
  const store = await Store.open(folder);
  await store.write([
    ["b/2", '{"n":2}'],
    ["b/1", '{"n":1}'],
    ["c/1", "3"],
  ]);
  await store.close();
  const again = await Store.open(folder);
  assert.deepEqual(await all(again, "b/"), [
    ["b/1", { n: 1 }],
    ["b/2", { n: 2 }],
  ]);
  assert.equal(await again.get("c/1"), 3);
  assert.equal(await again.get("c/2"), undefined);
  await again.close();
});

test("a first start that ends before it writes anything leaves a store that the next start accepts", async (context) => {
  const folder = temporaryFolder(context);
  const level = new ClassicLevel(join(folder, "jobs"));
  await level.open();
  await level.close();
  const store = await Store.open(folder);
  await store.write([["n", "1"]]);
  await store.close();
  const again = await Store.open(folder);
  assert.equal(await again.get("n"), 1);
  await again.close();
});

test("writes take effect in the order of their calls", async (context) => {
  const store = await Store.open(temporaryFolder(context));
  const writes = Array.from({ length: 500 }, (_, n) => store.write([["n", String(n)]]));
  writes.push(store.write([["gone", "1"]]), store.write([["gone", null]]));
  await Promise.all(writes);
  assert.equal(await store.get("n"), 499);
  assert.equal(await store.get("gone"), undefined);
  await store.close();
});

test("closing waits for pending writes, and later ones are refused", async (context) => {
  const folder = temporaryFolder(context);
  const store = await Store.open(folder);
  void store.write([["n", "1"]]);
  await store.close();
  await assert.rejects(store.write([["n", "2"]]), { name: "StoreError", message: "the store is closed" });
  const again = await Store.open(folder);
  assert.equal(await again.get("n"), 1);
  await again.close();
});

test("a folder that another server uses is refused in one line", async (context) => {
  const folder = temporaryFolder(context);
  const store = await Store.open(folder);
  await assert.rejects(Store.open(folder), {
    name: "FolderInUse",
    message: `cannot keep jobs in ${folder}: another server uses it; name another folder (JAI_DATA_DIR) and port (JAI_PORT)`,
  });
  await store.close();
});

for (const [what, reason, make] of [
  ["a file", "it is not a folder", (path: string) => writeFileSync(path, "")],
  ["below a file", "it is not a folder", (path: string) => writeFileSync(join(path, ".."), "")],
  [
    "read-only",
    "no permission to write there",
    (path: string) => {
      mkdirSync(path);
      chmodSync(path, 0o500);
    },
  ],
] as const) {
  const skip = what === "read-only" && process.platform === "win32" && "needs POSIX";
  test(`a folder that is ${what} is refused in one line`, { skip }, async (context) => {
    const root = temporaryFolder(context);
    const folder = join(root, "parent", "folder");
    mkdirSync(join(folder, "..", ".."), { recursive: true });
    if (what === "below a file") writeFileSync(join(folder, ".."), "");
    else {
      mkdirSync(join(folder, ".."));
      make(folder);
    }
    const message = `cannot keep jobs in ${folder}: ${reason}; JAI_DATA_DIR names another folder`;
    const refused = () => assert.rejects(Store.open(folder), { name: "StoreError", message });
    await (what === "read-only" ? asNobody([root, folder], refused) : refused());
  });
}

const noProc = process.platform !== "linux" && "needs Linux's /proc";
test("a folder that can't be made is refused at once", { skip: noProc }, () => {
  const script = `import { Store } from ${JSON.stringify(new URL("store.js", import.meta.url))};
    await Store.open("/proc/jai").catch((error) => console.log(error.message));`;
  const said = execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
    timeout: 10_000,
  });
  assert.equal(said, "cannot keep jobs in /proc/jai: it cannot be made; JAI_DATA_DIR names another folder\n");
});

for (const [what, damage] of [
  ["cut off", (file: string) => truncateSync(file, 10)],
  ["overwritten", (file: string) => writeFileSync(file, "something else entirely")],
  ["gone", (file: string) => rmSync(file)],
] as const) {
  for (const kind of ["CURRENT", "MANIFEST"]) {
    test(`an earlier version's store whose ${kind} is ${what} is refused in one line`, async (context) => {
      const folder = temporaryFolder(context);
      await writeOldStore(folder, { n: "1" });
      const name = readdirSync(join(folder, "jobs")).find((file) => file.startsWith(kind))!;
      damage(join(folder, "jobs", name));
      await assert.rejects(Store.open(folder), (error: Error) => {
        assert.equal(error.name, "StoreError");
        assert.match(error.message, /^cannot keep jobs in .*: .* is damaged or not a store \([^\n]+\)$/);
        return true;
      });
    });
  }
}

for (const kind of ["CURRENT", "MANIFEST"])
  test(`a damaged ${kind} of the lock costs no record`, async (context) => {
    const folder = temporaryFolder(context);
    const store = await Store.open(folder);
    await store.write([["n", "1"]]);
    await store.close();
    const name = readdirSync(join(folder, "jobs")).find((file) => file.startsWith(kind))!;
    writeFileSync(join(folder, "jobs", name), "something else entirely");
    const again = await Store.open(folder);
    assert.equal(await again.get("n"), 1);
    await assert.rejects(Store.open(folder), /another server uses it/);
    await again.close();
  });

test("an earlier version's records are taken over once", async (context) => {
  const folder = temporaryFolder(context);
  const texts = Object.fromEntries(Array.from({ length: 1200 }, (_, n) => [`n/${n}`, String(n)]));
  await writeOldStore(folder, texts);
  const store = await Store.open(folder);
  assert.equal((await all(store, "n/")).length, 1200);
  await store.write([["n/7", null]]);
  await store.close();
  const again = await Store.open(folder);
  assert.equal((await all(again, "n/")).length, 1199);
  await again.close();
  const level = new ClassicLevel(join(folder, "jobs"));
  assert.deepEqual(await level.iterator().all(), [["format", "jai-server jobs 2"]]);
  await level.close();
});

test("a take-over that the disk ended loses nothing, though the originals can't be opened for a while", async (context) => {
  const folder = temporaryFolder(context);
  const texts = Object.fromEntries(
    Array.from({ length: 1200 }, (_, n) => [`n/${n}`, JSON.stringify(`${n}`.repeat(200))]),
  );
  await writeOldStore(folder, texts);
  await assert.rejects(Store.open(folder, { maxBytes: 1 }), /full/);
  const name = readdirSync(join(folder, "jobs")).find((file) => file.startsWith("MANIFEST"))!;
  const manifest = readFileSync(join(folder, "jobs", name));
  writeFileSync(join(folder, "jobs", name), "unreadable");
  await assert.rejects(Store.open(folder), { name: "StoreError" });
  writeFileSync(join(folder, "jobs", name), manifest);
  const store = await Store.open(folder);
  assert.equal((await all(store, "n/")).length, 1200);
  await store.close();
  // Now the texts are in the one file, and the rest is a lock.
  for (const file of readdirSync(join(folder, "jobs")).filter((file) => !file.startsWith("jobs.sqlite")))
    writeFileSync(join(folder, "jobs", file), "something else");
  const again = await Store.open(folder);
  assert.equal((await all(again, "n/")).length, 1200);
  await again.close();
});

test("a removal that the disk did not take is made when it can be written", async (context) => {
  const folder = temporaryFolder(context);
  const store = await Store.open(folder);
  await store.write([
    ["job/1", "1"],
    ["job/2", "2"],
  ]);
  rmSync(folder, { recursive: true });
  writeFileSync(folder, "in its place");
  await assert.rejects(store.remove(["job/1"]), { name: "StoreUnwritable" });
  const alive = setInterval(() => {}, 1000);
  context.after(() => clearInterval(alive));
  const writable = new Promise<void>((resolve) => store.onWritable(resolve));
  rmSync(folder);
  await writable;
  await store.write([["job/3", "3"]]);
  assert.deepEqual(await store.keys("job/"), ["job/2", "job/3"]);
  await store.close();
});

test("a thread that was started anew opens the file when it is probed", async (context) => {
  const folder = temporaryFolder(context);
  const thread = new Thread({ path: join(folder, DATABASE), maxBytes: 1e9 });
  assert.deepEqual(await thread.ask("probe", "token"), { aside: null, removed: [], salvage: null });
  await thread.ask("write", [["n", "1"]]);
  assert.equal((await thread.ask("get", "n")).row!.text, "1");
  await thread.end();
});

test("texts that are no JSON stop no start and are not served", async (context) => {
  const folder = temporaryFolder(context);
  const store = await Store.open(folder);
  await store.write([
    ["job/1", "1"],
    ["job/2", "{"],
    ["clock", '{"time":"noon"}'],
  ]);
  await store.close();
  // The store itself writes a mark of its clock with each group.
  const thread = new Thread({ path: join(folder, "jobs", DATABASE), maxBytes: 1e9 });
  await thread.ask("open");
  await thread.ask("write", [["clock", '{"time":"noon"}']]);
  await thread.ask("close");
  await thread.end();
  const lines: string[] = [];
  const note = (line: string) => void lines.push(line);
  const again = await Store.open(folder, { log: { error: note, warn: note, info: note } });
  assert.deepEqual(await all(again, "job/"), [["job/1", 1]]);
  await assert.rejects(again.get("job/2"), { name: "RecordDamaged" });
  assert.match(lines.join("\n"), /^the stored record job\/2 is no JSON: it is lost$/m);
  assert.ok(Math.abs(again.now() - Date.now()) < 60_000);
  await again.close();
});

test("a folder with other files is refused, and they are left as they are", async (context) => {
  const folder = temporaryFolder(context);
  mkdirSync(join(folder, "jobs"));
  writeFileSync(join(folder, "jobs", "thesis.txt"), "mine");
  await assert.rejects(Store.open(folder), { name: "StoreError" });
  assert.ok(!readdirSync(join(folder, "jobs")).includes("CURRENT"));
});
