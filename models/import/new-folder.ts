import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
  statSync,
} from "node:fs";
import { constants } from "node:os";
import { dirname, resolve } from "node:path";
import { getSystemErrorMap } from "node:util";
import { ImportError } from "./checkpoint/error.js";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * A folder under construction. It is built beside its final place and moved there whole, or removed. Meanwhile,
 * the handler of a signal that ends the process removes it.
 *
 * Its file system calls are synchronous, so no signal can come between making something and noting that it was made.
 */
export class NewFolder {
  /** Where to write its files. */
  readonly path: string;
  readonly #out: string;
  /** The folders above it that were made for it, the outermost first. */
  readonly #parents: string[] = [];

  /** @throws ImportError that names the folder if something is there already, or no folder can be made there */
  constructor(readonly out: string) {
    requireAbsent(out);
    this.#out = resolve(out);
    try {
      this.#makeParents(dirname(this.#out));
      this.path = mkdtempSync(`${this.#out}.importing-`);
      // mkdtemp makes it for this user alone, but the server often runs as another.
      chmodSync(this.path, 0o777 & ~process.umask());
    } catch (error) {
      this.#removeParents();
      throw explain(out, error);
    }
    for (const signal of SIGNALS) process.once(signal, this.#removeAndExit);
  }

  /** Moves the folder to its place. @throws ImportError if something else is there by now */
  keep(): void {
    try {
      renameSync(this.path, this.#out);
    } catch (error) {
      // Another import to the same place may have been faster.
      requireAbsent(this.out);
      throw explain(this.out, error);
    }
    this.#unlisten();
  }

  /** Removes it, and those of its parents that were made for it and hold nothing else. */
  discard(): void {
    this.#unlisten();
    rmSync(this.path, { recursive: true, force: true });
    this.#removeParents();
  }

  readonly #removeAndExit = (signal: NodeJS.Signals) => {
    this.discard();
    // A program with its own handler decides what to do. The import then fails, since its folder is gone.
    if (process.listenerCount(signal) > 0) return;
    process.exit(128 + constants.signals[signal]);
  };

  #unlisten(): void {
    for (const signal of SIGNALS) process.off(signal, this.#removeAndExit);
  }

  #makeParents(parent: string): void {
    const missing: string[] = [];
    let folder = parent;
    let found = existing(folder);
    while (!found) {
      missing.unshift(folder);
      folder = dirname(folder);
      found = existing(folder);
    }
    const target = statSync(folder, { throwIfNoEntry: false });
    if (!target?.isDirectory()) {
      const got = target === undefined ? "a link to none" : "a file";
      throw new ImportError(this.out, `expected a folder at ${folder}, got ${got}`);
    }
    for (const path of missing) {
      // One by one: Node's recursive mkdir never ends where a file system such as /proc takes no folders.
      try {
        mkdirSync(path);
        this.#parents.push(path);
      } catch (error) {
        // A folder that another process made meanwhile is as good, and isn't ours to remove.
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
    }
  }

  #removeParents(): void {
    try {
      for (const folder of this.#parents.toReversed()) rmdirSync(folder);
    } catch {
      // Ignore: a folder may be in use or not removable.
    }
  }
}

/** @throws ImportError if there is anything at this path, even a dangling link */
export function requireAbsent(out: string): void {
  let found: Stats | null;
  try {
    found = existing(resolve(out));
  } catch (error) {
    throw explain(out, error);
  }
  if (found) {
    throw new ImportError(
      out,
      "expected a folder that doesn't exist yet, got one that does; remove it, or choose another --out",
    );
  }
}

/** Turns the system's error about a write into one that names the folder; other errors stay as they are. */
export function explain(out: string, error: unknown): unknown {
  const { code, errno, syscall } = error as NodeJS.ErrnoException;
  if (errno === undefined || syscall === undefined || syscall === "read") return error;
  const meaning = getSystemErrorMap().get(errno)?.[1] ?? syscall;
  return new ImportError(out, `expected a place for a new folder, got ${code} (${meaning})`);
}

/** What is at a path, without following links; null if nothing is there, even if a file is in the way. */
function existing(path: string): Stats | null {
  try {
    return lstatSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw error;
  }
}
