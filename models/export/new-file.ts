import { randomUUID } from "node:crypto";
import { existsSync, renameSync, rmSync } from "node:fs";
import { constants } from "node:os";
import { ModelError } from "../files/error.js";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** @throws ModelError if there is anything at this path */
export function requireNew(out: string): void {
  if (existsSync(out))
    throw new ModelError(
      `${out}: expected a file that doesn't exist yet, got one that does; remove it, or choose another --out`,
    );
}

/**
 * Makes a file that appears whole or not at all: it is written beside its place and moved there. A signal that ends the
 * process removes it.
 * @throws ModelError that names the file
 */
export async function writeWhole(out: string, write: (part: string) => Promise<void>): Promise<void> {
  const part = `${out}.${randomUUID().slice(0, 8)}.part`;
  const removeAndExit = (signal: NodeJS.Signals) => {
    rmSync(part, { force: true });
    // A program with its own handler decides what to do. The export then fails, since its file is gone.
    if (process.listenerCount(signal) === 0) process.exit(128 + constants.signals[signal]);
  };
  for (const signal of SIGNALS) process.once(signal, removeAndExit);
  try {
    await write(part);
    requireNew(out);
    renameSync(part, out);
  } catch (error) {
    rmSync(part, { force: true });
    if (error instanceof ModelError) throw error;
    const { code, syscall, message } = error as NodeJS.ErrnoException;
    throw new ModelError(
      syscall === undefined ? `${out}: ${message}` : `${out}: expected a place for a new file, got ${code}`,
    );
  } finally {
    for (const signal of SIGNALS) process.off(signal, removeAndExit);
  }
}
