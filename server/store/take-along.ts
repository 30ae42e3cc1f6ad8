import {
  accessSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { ClassicLevel } from "classic-level";
import type { Log } from "../log.js";
import { makeFolder, reasonOf } from "./folder.js";
import { remainsOf } from "./salvage.js";
import { DATABASE, OWN_KEYS, StoreError } from "./store.js";
import { FolderInUse } from "./store-error.js";

/** Name of a file in a finished copy, which holds the path of the original as long as that is still to be removed. */
const ORIGIN = "copied-from";

/**
 * Moves the jobs of version 0.1.0 from the package's own folder to the data folder, once, and logs it. They stay where
 * they are, with a warning, while a server uses them, if they can't be written, or if the data folder has its own jobs.
 *
 * At any moment exactly one store is usable. Within a file system, a rename moves it. To another one, a first rename
 * hides the original from other servers, and a second one puts the finished copy in place. The next start finishes what
 * a crash interrupted.
 * @throws StoreError if another server is doing the same for this folder, or the copy fails
 */
export async function takeAlong(oldFolder: string, folder: string, log: Log): Promise<void> {
  const from = join(oldFolder, "jobs");
  const to = join(folder, "jobs");
  /** Where the original is during a copy. Only the server of this data folder looks there. */
  const claimed = join(oldFolder, `jobs-moving-to-${basename(folder)}`);
  if (!holdsStore(from) && !existsSync(claimed) && !existsSync(turnOf(folder))) return;

  const stay = (why: string) => log.warn(leftBehind(oldFolder, why));
  /** Renames `from` to `to`, or to `claimed` if `to` is on another file system. False if the jobs stay. */
  const claim = async (): Promise<boolean> => {
    let level: ClassicLevel;
    try {
      for (const path of [oldFolder, from])
        accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
      level = await openLevel(from);
    } catch (error) {
      // If another server moved them a moment ago, opening has made a new folder without a store: remove it.
      if (holdsStore(from))
        stay(isLocked(error) ? "another server uses or moves them" : reasonOf(rootOf(error)));
      else removeEmptyStore(from);
      return false;
    }
    try {
      // Keep the store open during the rename, so that no other server opens it. Windows can't rename open files.
      if (process.platform === "win32") await level.close();
      try {
        renameSync(from, to);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
        renameSync(from, claimed);
      }
      return true;
    } catch (error) {
      stay(reasonOf(error as Error));
      return false;
    } finally {
      await level.close();
    }
  };

  const turn = await takeTurn(folder);
  try {
    if (existsSync(claimed) && originOf(to) === claimed) forget(claimed, to);
    const begun = existsSync(claimed);
    if (!begun && !holdsStore(from)) return;
    if (!(await isFree(to))) {
      if (begun)
        throw new StoreError(`cannot move jobs from ${claimed} to ${to}: other jobs are there by now`);
      return stay(`${folder} has jobs of its own`);
    }
    rmSync(to, { recursive: true, force: true });
    if (!begun && !(await claim())) return;
    if (existsSync(claimed)) copy(claimed, to);
    log.info(`the jobs of an earlier version were moved from ${from} to ${to}`);
    removeIfEmpty(oldFolder);
  } finally {
    await turn.end();
  }
}

/** The warning about jobs that stay in the old folder. */
export function leftBehind(oldFolder: string, why: string): string {
  return `jobs of an earlier version stay in ${oldFolder}: ${why}; JAI_DATA_DIR=${oldFolder} serves them there`;
}

/** Whether a folder has jobs, or may have some that this user can't see. */
export function holdsStore(path: string): boolean {
  try {
    return statSync(join(path, "CURRENT")).isFile();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES";
  }
}

/** Copies the store, and removes the original once the complete copy is in place. @throws StoreError */
function copy(claimed: string, to: string): void {
  const incoming = `${to}-incoming`;
  try {
    rmSync(incoming, { recursive: true, force: true });
    makeFolder(incoming);
    const isFile = (name: string) => statSync(join(claimed, name)).isFile();
    for (const name of readdirSync(claimed).filter(isFile))
      copyFileSync(join(claimed, name), join(incoming, name));
    writeFileSync(join(incoming, ORIGIN), claimed);
    for (const name of readdirSync(incoming)) flush(join(incoming, name));
    renameSync(incoming, to);
  } catch (error) {
    const reason = reasonOf(error as Error);
    throw new StoreError(`cannot copy jobs from ${claimed} to ${to}: ${reason}; the next start tries again`);
  }
  forget(claimed, to);
}

function originOf(to: string): string | null {
  const origin = join(to, ORIGIN);
  return existsSync(origin) ? readFileSync(origin, "utf8") : null;
}

/** Removes a copy's original, and then the file that names it. */
function forget(claimed: string, to: string): void {
  rmSync(claimed, { recursive: true, force: true });
  rmSync(join(to, ORIGIN), { force: true });
}

function flush(path: string): void {
  const file = openSync(path, "r+");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Whether a folder has no store, or an empty one. @throws StoreError while a server uses it */
async function isFree(to: string): Promise<boolean> {
  if (!holdsStore(to)) return !existsSync(to) || readdirSync(to).length === 0;
  if (existsSync(join(to, DATABASE)) && !isEmpty(join(to, DATABASE))) return false;
  let level: ClassicLevel;
  try {
    level = await openLevel(to);
  } catch (error) {
    if (isLocked(error)) throw new FolderInUse(dirname(to));
    return false;
  }
  try {
    return (await level.keys({ limit: 2 }).all()).every((key) => key === "format");
  } finally {
    await level.close();
  }
}

/** Whether a database has no record of a client. A damaged one counts as not empty. */
function isEmpty(database: string): boolean {
  const { rows, lost, unnamed } = remainsOf(database);
  if (lost.length > 0 || unnamed !== 0) return false;
  for (const { key } of rows()) if (!OWN_KEYS.includes(key)) return false;
  return true;
}

/** Path of the lock. A crash may leave the folder behind; the next turn removes it. */
const turnOf = (folder: string) => join(folder, "moving");

/**
 * Locks out other servers of the same data folder. The lock ends with the process.
 * @throws StoreError if another server holds it
 */
async function takeTurn(folder: string): Promise<{ end(): Promise<void> }> {
  const path = turnOf(folder);
  let level: ClassicLevel;
  try {
    level = await openLevel(path, true);
  } catch (error) {
    if (isLocked(error)) throw new FolderInUse(folder);
    throw new StoreError(`cannot keep jobs in ${folder}: ${reasonOf(rootOf(error))}`);
  }
  const remove = () => rmSync(path, { recursive: true, force: true });
  return {
    async end() {
      // Remove the lock while holding it: once released, it may be another server's. Windows can't remove open files.
      if (process.platform !== "win32") remove();
      await level.close();
      if (process.platform === "win32") remove();
    },
  };
}

async function openLevel(path: string, createIfMissing = false): Promise<ClassicLevel> {
  const level = new ClassicLevel(path, { createIfMissing });
  await level.open();
  return level;
}

/** The error of LevelDB or the file system, which classic-level wraps. */
const rootOf = (error: unknown) => ((error as Error).cause ?? error) as NodeJS.ErrnoException;

const isLocked = (error: unknown) => rootOf(error).code === "LEVEL_LOCKED";

/** Removes the files that LevelDB creates even where it finds no store. */
function removeEmptyStore(path: string): void {
  for (const name of ["LOCK", "LOG", "LOG.old"]) rmSync(join(path, name), { force: true });
  removeIfEmpty(path);
}

function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // The folder is not empty, or missing.
  }
}
