// Lets one process at a time prepare a folder: `npm ci` would remove node_modules while another process installs there.
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Waits until no other process holds the lock, and takes it. The holder listens on a socket, which the system closes when the
 * process ends, in whatever way. Where no such socket can be made, nothing is locked.
 * @param {string} folder
 * @param {() => void} onWait called if another process has it
 * @returns {Promise<() => void>} a function that releases the lock
 */
export async function takeLock(folder, onWait) {
  const name = `jai-server-prepare-${createHash("sha256").update(folder).digest("hex").slice(0, 16)}`;
  const path = process.platform === "win32" ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`);
  for (;;) {
    const waiting = new Set();
    const server = createServer((socket) => waiting.add(socket.on("error", () => {})));
    const code = await new Promise((resolve) => {
      server.once("listening", () => resolve("taken")).once("error", (error) => resolve(error.code));
      server.listen(path);
    });
    if (code === "taken")
      return () => {
        server.close();
        // Those who wait see the end of their connection, which would also keep this process alive.
        for (const socket of waiting) socket.destroy();
      };
    if (code !== "EADDRINUSE") return () => {};
    const found = await whileHeld(path, onWait);
    // A holder that was killed leaves its socket's file.
    if (found === "ECONNREFUSED") rmSync(path, { force: true });
    else if (found === "EACCES" || found === "EPERM") return () => {};
  }
}

/** Resolves when the holder is gone, to "held"; at once, to the error's code, if there is no holder. */
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
