import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";

const signals = new URL("./signals.js", import.meta.url);

for (const [where, terminal, expected] of [
  ["at a terminal SIGHUP stops it", true, "SIGHUP"],
  ["without a terminal SIGHUP is ignored, and SIGTERM still stops it", undefined, "ignored SIGTERM"],
] as const)
  test(where, { skip: process.platform === "win32" && "needs POSIX" }, async () => {
    const child = spawn(process.execPath, [
      "--input-type=module",
      "--eval",
      `import { catchSignals, handleSignals } from ${JSON.stringify(signals.href)};
      process.stdout.isTTY = ${terminal};
      catchSignals();
      handleSignals((signal) => { process.stdout.write(signal); process.exit(0); });
      process.on("SIGHUP", () => process.stdout.write("ignored "));
      setInterval(() => {}, 1000);
      process.stdout.write("ready ");`,
    ]);
    let output = "";
    child.stdout.on("data", (data) => {
      output += data;
    });
    const closed = once(child, "close");
    await once(child.stdout, "data");
    child.kill("SIGHUP");
    // Two signals may be caught in any order, so the second one waits for what the first does.
    await once(child.stdout, "data");
    child.kill("SIGTERM");
    const [code] = await closed;
    assert.deepEqual([code, output], [0, `ready ${expected}`]);
  });

test("SIGUSR2 does not end a process that has no log yet, and then does what it is given", {
  skip: process.platform === "win32" && "needs POSIX",
}, async () => {
  const child = spawn(process.execPath, [
    "--input-type=module",
    "--eval",
    `import { catchSignals, handleLevelSignal } from ${JSON.stringify(signals.href)};
    catchSignals();
    process.once("SIGUSR2", () => {
      handleLevelSignal(() => { process.stdout.write("switched"); process.exit(0); });
      process.stdout.write("ignored ");
    });
    setInterval(() => {}, 1000);
    process.stdout.write("ready ");`,
  ]);
  let output = "";
  child.stdout.on("data", (data) => {
    output += data;
  });
  const closed = once(child, "close");
  for (let n = 0; n < 2; n++) {
    await once(child.stdout, "data");
    child.kill("SIGUSR2");
  }
  assert.deepEqual([await closed, output], [[0, null], "ready ignored switched"]);
});
