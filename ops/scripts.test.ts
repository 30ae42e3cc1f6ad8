import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../server/settings/config.js";

const { scripts } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"));

for (const name of ["start", "jai", "dev"])
  test(`npm's signals reach the program of "npm run ${name}", since the shell execs it`, {
    skip: process.platform === "win32" && "needs POSIX",
  }, (t) => {
    const root = mkdtempSync(join(tmpdir(), "jai-scripts-"));
    t.after(() => rmSync(root, { recursive: true }));
    for (const file of ["dist/server/cli.js", "ops/dev.mjs"]) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), "console.log(process.pid)");
    }
    const shell = spawnSync("sh", ["-c", scripts[name]], { cwd: root, encoding: "utf8" });
    assert.equal(shell.stdout, `${shell.pid}\n`, shell.stderr);
  });
