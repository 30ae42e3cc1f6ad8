import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { writeFixtureModel } from "../../models/fixtures/model.js";
import { ServerProcess } from "../../ops/server-process.js";
import type { Log } from "../log.js";
import { Systemd } from "./systemd.js";

const folder = mkdtempSync(join(tmpdir(), "jai-systemd-"));
const receivers = new Set<ChildProcess>();
after(() => {
  ServerProcess.killAll();
  for (const receiver of receivers) receiver.kill();
  rmSync(folder, { recursive: true });
});

const has = (command: string, ...args: string[]) => spawnSync(command, args).status === 0;
const skip =
  (!has("systemd-notify", "--version") && "needs systemd-notify") ||
  (!has("python3", "--version") && "needs python3");

const quiet = (lines: string[] = []): Log => {
  const note = (line: string) => void lines.push(line);
  return { error: note, warn: note, info: note, debug: note, hidesPrompts: false };
};

/** A socket as systemd has one, and the messages that it gets. */
async function receiver() {
  const path = join(folder, `notify-${receivers.size}`);
  const source = `
import socket, sys
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
print("bound", flush=True)
while True:
  for line in receiver.recv(4096).decode().splitlines():
    print(line, flush=True)
`;
  const child = spawn("python3", ["-c", source, path], { stdio: ["ignore", "pipe", "inherit"] });
  receivers.add(child);
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const next = async () => {
    // systemd-notify also asks for an acknowledgement.
    for (;;) {
      const { value } = (await lines.next()) as { value: string };
      if (!value.startsWith("BARRIER=")) return value;
    }
  };
  assert.equal(await next(), "bound");
  return { path, next };
}

test("a server tells systemd when the model is loaded, feeds the watchdog, and tells when it stops", {
  skip,
}, async () => {
  const model = join(folder, "model");
  await writeFixtureModel(model, "int8");
  const { path, next } = await receiver();
  const server = await ServerProcess.ready(model, { NOTIFY_SOCKET: path, WATCHDOG_USEC: "300000" });
  assert.equal(await next(), "READY=1");
  for (let beat = 0; beat < 3; beat++) assert.equal(await next(), "WATCHDOG=1");
  const ended = server.stop();
  let message: string;
  do message = await next();
  while (message === "WATCHDOG=1");
  assert.equal(message, "STOPPING=1");
  assert.equal((await ended).code, 0);
});

test("a server that is not well feeds no watchdog", { skip }, async () => {
  const { path, next } = await receiver();
  const systemd = Systemd.of({ ...process.env, NOTIFY_SOCKET: path, WATCHDOG_USEC: "30000" }, quiet())!;
  let asked = 0;
  const unwell = new Promise<void>((resolve) => {
    systemd.ready(() => {
      if (++asked === 10) resolve();
      return false;
    });
  });
  // The event loop has nothing else to wait for.
  const timer = setInterval(() => {}, 1000);
  await unwell;
  clearInterval(timer);
  systemd.close();
  systemd.stopping();
  assert.deepEqual([await next(), await next()], ["READY=1", "STOPPING=1"]);
});

test("without NOTIFY_SOCKET nobody is told anything, and another process's watchdog is not fed", () => {
  assert.equal(Systemd.of({}, quiet()), null);
  const environment = {
    NOTIFY_SOCKET: "/nowhere",
    WATCHDOG_USEC: "1000",
    WATCHDOG_PID: "1",
    PATH: "/nowhere",
  };
  const systemd = Systemd.of(environment, quiet())!;
  systemd.ready(() => assert.fail("nobody asked for it"));
  systemd.close();
});

test("a systemd-notify that is missing or fails is told once", {
  skip: process.platform === "win32" && "needs POSIX's shell",
}, async () => {
  const bin = mkdtempSync(join(folder, "bin-"));
  writeFileSync(join(bin, "systemd-notify"), "#!/bin/sh\nexit 1\n");
  chmodSync(join(bin, "systemd-notify"), 0o755);
  for (const PATH of [bin, "/nowhere"]) {
    const lines: string[] = [];
    const told = new Promise<void>((resolve) => {
      const log = quiet();
      log.warn = (line) => {
        lines.push(line);
        resolve();
      };
      const systemd = Systemd.of({ NOTIFY_SOCKET: "/nowhere", PATH }, log)!;
      systemd.stopping();
    });
    const timer = setInterval(() => {}, 1000);
    await told;
    clearInterval(timer);
    assert.match(lines[0]!, /^systemd was not told STOPPING=1: /);
  }
});
