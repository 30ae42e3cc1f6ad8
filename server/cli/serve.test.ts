import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const cli = fileURLToPath(new URL("../cli.js", import.meta.url));

test("below npm, the server shuts down when npm's shell dies of a signal without forwarding it", {
  skip: process.platform === "win32",
}, async (t) => {
  const data = mkdtempSync(join(tmpdir(), "jai-below-npm-"));
  t.after(() => rmSync(data, { recursive: true }));
  // A second command keeps the shell alive: with only one, it would exec it and be replaced.
  const shell = spawn("sh", ["-c", `"${process.execPath}" "${cli}" serve --port 0; true`], {
    env: { ...process.env, npm_lifecycle_event: "npx", npm_package_name: "another", JAI_DATA_DIR: data },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: string[] = [];
  // The loop ends when the server exits: it holds the pipe's other end.
  for await (const line of createInterface({ input: shell.stdout })) {
    lines.push(line.replace(/^.* - INFO - /, ""));
    if (line.includes("ready:")) shell.kill("SIGTERM");
  }
  assert.deepEqual(lines.slice(-2), [
    "stopping on SIGTERM: finishing 0 sequences, for up to 30 s",
    "stopped",
  ]);
});

test("a stop while the model is prepared for this machine is no failure", {
  skip: process.platform === "win32",
}, async (t) => {
  const data = mkdtempSync(join(tmpdir(), "jai-stopped-"));
  t.after(() => rmSync(data, { recursive: true }));
  const server = spawn(process.execPath, [cli, "serve", "--port", "0", "--restart", "off"], {
    env: { ...process.env, JAI_DATA_DIR: data },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [closed, errors] = [once(server, "close"), text(server.stderr)];
  const lines: string[] = [];
  for await (const line of createInterface({ input: server.stdout })) {
    lines.push(line.replace(/^.* - INFO - /, ""));
    if (line.includes("listening on")) server.kill("SIGTERM");
  }
  assert.deepEqual([await closed, await errors, lines.at(-1)], [[0, null], "", "stopped"]);
});
