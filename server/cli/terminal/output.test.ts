import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const cli = fileURLToPath(new URL("../../cli.js", import.meta.url));

for (const args of [
  ["list"],
  ["list", "--json"],
  ["show"],
  ["completion", "bash"],
  ["--help"],
  ["serve", "--help"],
]) {
  test(`jai ${args.join(" ")} says in one line that the disk is full, exit status 1`, {
    skip: !existsSync("/dev/full") && "needs /dev/full",
  }, (context) => {
    const full = openSync("/dev/full", "w");
    context.after(() => closeSync(full));
    const { status, stderr } = spawnSync(process.execPath, [cli, ...args], {
      stdio: ["ignore", full, "pipe"],
      encoding: "utf8",
    });
    assert.deepEqual([status, stderr], [1, "the output can't be written: ENOSPC\n"]);
  });

  test(`jai ${args.join(" ")} ends quietly when its reader does`, () => {
    const line = `"$0" "$@" | true; printf %s "$PIPESTATUS"`;
    const { stdout, stderr } = spawnSync("bash", ["-c", line, process.execPath, cli, ...args], {
      encoding: "utf8",
    });
    assert.deepEqual([stdout, stderr], ["0", ""]);
  });
}
