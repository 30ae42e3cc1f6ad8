import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";

const signals = new URL("./signals.js", import.meta.url);

for (const [where, terminal, expected] of [
  ["at a terminal SIGHUP stops it", true, "SIGHUP"],
  ["without a terminal SIGHUP is ignored, and SIGTERM still stops it", undefined, "SIGTERM"],
] as const)
  test(where, { skip: process.platform === "win32" && "needs POSIX" }, async () => {
    const child = spawn(process.execPath, [
      "--input-type=module",
      "--eval",
      `import { catchSignals, handleSignals } from ${JSON.stringify(signals.href)};
      process.stdout.isTTY = ${terminal};
      catchSignals();
      handleSignals((signal) => { process.stdout.write(signal); process.exit(0); });
      setInterval(() => {}, 1000);
      process.stdout.write("ready ");`,
    ]);
    let output = "";
    child.stdout.on("data", (data) => {
      output += data;
    });
    await once(child.stdout, "data");
    child.kill("SIGHUP");
    child.kill("SIGTERM");
    const [code] = await once(child, "close");
    assert.deepEqual([code, output], [0, `ready ${expected}`]);
  });
