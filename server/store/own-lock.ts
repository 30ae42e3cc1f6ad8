import { createRequire } from "node:module";

// The module's object, through which SQLite's package calls.
const fs = createRequire(import.meta.url)("node:fs") as { accessSync: (path: string, mode?: number) => void };

/**
 * Runs `work` while nobody but this connection holds the lock of `path`. node-sqlite3-wasm (0.8.60) has one lock, a folder,
 * for every level, and takes its own for another connection's. SQLite then believes that a transaction is under way, and
 * doesn't roll back what a crash or a lost disk cut off.
 */
export function knowingOwnLock<T>(path: string, work: () => T): T {
  const { accessSync } = fs;
  fs.accessSync = (asked, mode) => {
    if (asked === `${path}.lock`) throw Object.assign(new Error("our own lock"), { code: "ENOENT" });
    accessSync(asked, mode);
  };
  try {
    return work();
  } finally {
    fs.accessSync = accessSync;
  }
}
