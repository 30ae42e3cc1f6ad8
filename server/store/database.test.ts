/* Each system call of a transaction fails once. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { temporaryFolder } from "../jobs/fixture.js";
import { Database, type Write } from "./database.js";

// SQLite's package calls these through the module's object.
const fs = createRequire(import.meta.url)("node:fs") as Record<string, (...values: unknown[]) => unknown>;

/** Lets the n-th of the calls that change the disk fail; `failed` tells whether it came. */
function failing(context: TestContext) {
  let left = Number.POSITIVE_INFINITY;
  for (const name of ["writeSync", "fsyncSync", "ftruncateSync", "unlinkSync"]) {
    const real = fs[name]!;
    context.after(() => {
      fs[name] = real;
    });
    fs[name] = (...values) => {
      if (--left === 0) throw Object.assign(new Error("injected"), { code: "EIO" });
      return real(...values);
    };
  }
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

test("whichever call of a transaction fails, all of it or nothing is there, and the file is sound", (context) => {
  const folder = temporaryFolder(context);
  const { arm, failed } = failing(context);
  const changes: Write[] = [
    ["job/1", null],
    ["job/2", '"changed"'],
    ["body/7", JSON.stringify("z".repeat(9000))],
  ];
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
    const isThere = [
      again.get("job/1").row === null,
      again.get("job/2").row?.text === '"changed"',
      again.get("body/7").row !== null,
    ];
    assert.equal(new Set(isThere).size, 1, `call ${n}: ${isThere}`);
    assert.ok(isThere[0] || !isWritten, `call ${n}`);
    assert.equal(again.get("job/9").row?.text, '"later"');
    again.close();
    if (!isFault) break;
  }
  assert.ok(faults > 10, `${faults} calls`);
});
