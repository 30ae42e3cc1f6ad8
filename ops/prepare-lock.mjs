// Lets one process at a time prepare a folder: `npm ci` removes node_modules under the feet of a second one.
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Waits until no other process holds the lock, and takes it. Its holder listens on a socket, which the system closes with
 * the process, however that ends. Where there can be no such socket, there is no lock.
 * @param {string} folder
 * @param {() => void} onWait called if another process has it
 * @returns {Promise<() => void>} gives it back
 */
export async function takeLock(folder, onWait) {
  const name = `jai-server-prepare-${createHash("sha256").update(folder).digest("hex").slice(0, 16)}`;
  const path = process.platform === "win32" ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`);
  for (;;) {
    const server = createServer();
    const code = await new Promise((resolve) => {
      server.once("listening", () => resolve("taken")).once("error", (error) => resolve(error.code));
      server.listen(path);
    });
    if (code === "taken") return () => server.close();
    if (code !== "EADDRINUSE") return () => {};
    const found = await whileHeld(path, onWait);
    // A holder that was killed leaves its socket's file.
    if (found === "ECONNREFUSED") rmSync(path, { force: true });
    else if (found === "EACCES" || found === "EPERM") return () => {};
  }
}

/** Resolves when the holder is gone. To the error's code if there was none, else to "held". */
function whileHeld(path, onWait) {
  return new Promise((resolve) => {
    let isHeld = false;
    const socket = connect(path);
    socket.once("connect", () => {
      isHeld = true;
      onWait();
    });
    socket.on("error", (error) => resolve(isHeld ? "held" : error.code));
    socket.on("close", () => resolve("held"));
    // The holder sends nothing; its end is an event only for a socket that is read.
    socket.resume();
  });
}
