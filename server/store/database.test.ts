/* Each system call of a transaction fails once. */
import assert from "node:assert/strict";
import { copyFileSync, readFileSync, statSync, truncateSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { temporaryFolder } from "../jobs/fixture.js";
import { Database, type Write } from "./database.js";

// SQLite's package calls these through the module's object.
const fs = createRequire(import.meta.url)("node:fs") as Record<string, (...values: unknown[]) => unknown>;

/** Calls `before` ahead of every call that changes the disk. */
function watching(context: TestContext, before: () => void): void {
  for (const name of ["writeSync", "fsyncSync", "ftruncateSync", "unlinkSync"]) {
    const real = fs[name]!;
    context.after(() => {
      fs[name] = real;
    });
    fs[name] = (...values) => {
      before();
      return real(...values);
    };
  }
}

/** Lets the n-th of the calls that change the disk fail; `failed` tells whether it came. */
function failing(context: TestContext) {
  let left = Number.POSITIVE_INFINITY;
  watching(context, () => {
    if (--left === 0) throw Object.assign(new Error("injected"), { code: "EIO" });
  });
  return {
    arm: (n: number) => {
      left = n;
    },
    failed: () => {
      const isDone = left <= 0;
      left = Number.POSITIVE_INFINITY;
      return isDone;
    },
  };
}

const changes: Write[] = [
  ["job/1", null],
  ["job/2", '"changed"'],
  ["body/7", JSON.stringify("z".repeat(9000))],
];
/** Whether the file shows each change. */
const areMade = (database: Database) => [
  database.get("job/1").row === null,
  database.get("job/2").row?.text === '"changed"',
  database.get("body/7").row !== null,
];

test("whichever call of a transaction fails, all of it or nothing is there, and the file is sound", (context) => {
  const folder = temporaryFolder(context);
  const { arm, failed } = failing(context);
  let faults = 0;
  for (let n = 1; ; n++) {
    const path = join(folder, `${n}.sqlite`);
    const database = new Database(path, 1e9);
    for (let job = 0; job < 5; job++) database.write([[`job/${job}`, JSON.stringify("a".repeat(2000))]]);
    arm(n);
    let isWritten = true;
    try {
      database.write(changes);
    } catch {
      isWritten = false;
    }
    const isFault = failed();
    if (isFault) faults++;
    database.probe("token");
    database.write([["job/9", '"later"']]);
    database.close();
    const again = new Database(path, 1e9);
    assert.equal(again.check(true), null, `call ${n}`);
    const isThere = areMade(again);
    assert.equal(new Set(isThere).size, 1, `call ${n}: ${isThere}`);
    assert.ok(isThere[0] || !isWritten, `call ${n}`);
    assert.equal(again.get("job/9").row?.text, '"later"');
    again.close();
    if (!isFault) break;
  }
  assert.ok(faults > 10, `${faults} calls`);
});

test("whichever call of a transaction is the last of its process, all of it or nothing is there, though new pages are lost", (context) => {
  const folder = temporaryFolder(context);
  const path = join(folder, "jobs.sqlite");
  const database = new Database(path, 1e9);
  for (let job = 0; job < 5; job++) database.write([[`job/${job}`, JSON.stringify("a".repeat(2000))]]);
  const bytes = statSync(path).size;
  let calls = 0;
  let isArmed = true;
  watching(context, () => {
    if (!isArmed) return;
    calls++;
    for (const end of ["", "-journal"]) copyFileSync(path + end, join(folder, `${calls}.sqlite${end}`));
  });
  database.write(changes);
  isArmed = false;
  database.close();
  let rolledBack = 0;
  for (let n = 1; n <= calls; n++) {
    const left = join(folder, `${n}.sqlite`);
    const isCutOff = readFileSync(`${left}-journal`)[0] !== 0;
    if (isCutOff) rolledBack++;
    // A file system may lose a file's growth and keep what was written into it.
    const shorter = join(folder, `${n}-shorter.sqlite`);
    for (const end of ["", "-journal"]) copyFileSync(left + end, shorter + end);
    if (isCutOff) truncateSync(shorter, bytes);
    for (const copy of [left, shorter]) {
      const again = new Database(copy, 1e9);
      assert.equal(again.check(true), null, `call ${n}`);
      const made = areMade(again);
      assert.equal(new Set(made).size, 1, `call ${n}: ${made}`);
      assert.ok(!(isCutOff && made[0]), `call ${n}`);
      again.close();
    }
  }
  assert.ok(rolledBack > 10, `${rolledBack} of ${calls} calls`);
});
