import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { StoreError } from "./store-error.js";

/**
 * Makes a folder, accessible only to this user, and its missing parents. An existing one stays as it is. (Node's
 * `recursive` option loops forever where nothing can be created, as in /proc.)
 */
export function makeFolder(path: string): void {
  const make = () => mkdirSync(path, { mode: 0o700 });
  try {
    make();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" && statSync(path).isDirectory()) return;
    if (code !== "ENOENT" || dirname(path) === path) throw error;
    makeFolder(dirname(path));
    make();
  }
}

/** @throws StoreError if a path names something else than a file: a pipe would hold up whoever opens it */
export function assertFile(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() === false)
    throw new StoreError(`${path} is not a file`);
}

/** Words for the error of making or writing a folder. */
export function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  const reasons: Record<string, string> = {
    EACCES: "no permission to write there",
    EPERM: "no permission to write there",
    EROFS: "it is read-only",
    ENOSPC: "no space is left",
    ENOTDIR: "it is not a folder",
    EEXIST: "it is not a folder",
    ENOENT: "it cannot be made",
  };
  return reasons[code ?? ""] ?? message;
}
