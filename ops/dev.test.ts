import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("../../ops/dev.mjs", import.meta.url));
const skip = process.platform === "win32" && "needs POSIX";
/** Long enough for everything to end that ends by itself. */
const timeout = 20_000;

/** Like the real compiler: a launcher that a signal ends, leaving behind the native compiler that it waits for. */
const compiler = `
import { spawn } from "node:child_process";
spawn(process.execPath, ["-e", "console.log('compiler ' + process.pid); setInterval(() => {}, 1000)"], { stdio: "inherit" });
`;

/** Like the server: at the first signal it finishes its work and ends, at the second it ends at once. */
const server = `
setInterval(() => {}, 1000);
let signals = 0;
process.on("SIGTERM", () => {
  if (++signals > 1) process.exit(1);
  setTimeout(() => { console.log("drained"); process.exit(0); }, 300);
});
console.log("server " + process.pid);
`;

/** Starts the script in a folder of its own with both stand-ins; resolves when they run. */
async function dev(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), "jai-dev-"));
  for (const [name, text] of [
    ["package.json", '{ "type": "module" }'],
    ["node_modules/typescript/package.json", '{ "type": "module" }'],
    ["node_modules/typescript/lib/tsc.js", compiler],
    ["dist/server/cli.js", server],
  ] as const) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  mkdirSync(join(root, "ops"));
  copyFileSync(script, join(root, "ops/dev.mjs"));

  const child = spawn(process.execPath, [join(root, "ops/dev.mjs")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  const pids = () => [...output.matchAll(/^(?:compiler|server) (\d+)$/gm)].map(([, pid]) => Number(pid));
  const started = new Promise<void>((resolve) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (pids().length === 2) resolve();
    });
  });
  // "close" comes only when the last process that inherited the pipe has ended, stand-ins included.
  const closed = once(child, "close");
  t.after(() => {
    child.kill("SIGKILL");
    for (const pid of pids()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has already ended.
      }
    }
    rmSync(root, { recursive: true });
  });
  await started;
  return { child, pids, closed, output: () => output };
}

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
  test(`${signal} ends the compiler, and the server once it has finished its work`, {
    skip,
    timeout,
  }, async (t) => {
    const { child, closed, output } = await dev(t);
    child.kill(signal);
    // A second signal, as when npm forwards the Ctrl-C that the terminal has already sent.
    child.kill(signal);
    await closed;
    assert.match(output(), /^drained$/m);
  });

test("if the compiler dies, the server is stopped", { skip, timeout }, async (t) => {
  const { pids, closed, output } = await dev(t);
  const compilerPid = Number(/^compiler (\d+)$/m.exec(output())?.[1]);
  assert.ok(pids().includes(compilerPid));
  process.kill(compilerPid, "SIGKILL");
  await closed;
  assert.match(output(), /^drained$/m);
});
