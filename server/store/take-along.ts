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
import { StoreError } from "./store.js";

/** In a copy that has not been noted as whole: where the original is, which is to be removed. */
const ORIGIN = "copied-from";

/**
 * Moves the jobs of version 0.1.0, which kept them in the package's own folder, to where they are kept now; once, and says so.
 * They stay where they are, with a warning, while a server runs on them, where they can't be written, and where the new
 * place has jobs of its own.
 *
 * At any moment there is exactly one store to use: a rename moves it, or, to another file system, one rename takes it out
 * of everybody's reach and a second one puts its whole copy in place. What a crash left half done is finished next time.
 * @throws StoreError if another server is at it for the same folder, or the copy fails
 */
export async function takeAlong(oldFolder: string, folder: string, log: Log): Promise<void> {
  const from = join(oldFolder, "jobs");
  const to = join(folder, "jobs");
  /** Where they are while they are copied; only the server of this folder looks there. */
  const claimed = join(oldFolder, `jobs-moving-to-${basename(folder)}`);
  if (!holdsStore(from) && !existsSync(claimed) && !existsSync(turnOf(folder))) return;

  const stay = (why: string) => log.warn(leftBehind(oldFolder, why));
  /** Takes the jobs out of `from`, straight to `to` where that is possible. False: they stay. */
  const claim = async (): Promise<boolean> => {
    let level: ClassicLevel;
    try {
      for (const path of [oldFolder, from])
        accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
      level = await openLevel(from);
    } catch (error) {
      // Another server may have moved them in this moment; opening has left a folder without a store.
      if (holdsStore(from))
        stay(isLocked(error) ? "another server uses or moves them" : reasonOf(rootOf(error)));
      else removeEmptyStore(from);
      return false;
    }
    try {
      // Held open, so that no other server can open it before it is gone; Windows doesn't move what is open.
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
      if (begun) throw new StoreError(`cannot move jobs from ${claimed} to ${to}: others are there by now`);
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

/** The warning about jobs that stay in the old place. */
export function leftBehind(oldFolder: string, why: string): string {
  return `jobs of an earlier version stay in ${oldFolder}: ${why}; JAI_DATA_DIR=${oldFolder} serves them there`;
}

/** Whether jobs are there, or may be where nobody may look. */
export function holdsStore(path: string): boolean {
  try {
    return statSync(join(path, "CURRENT")).isFile();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES";
  }
}

/** Copies, and removes the original when the copy is whole and in its place. @throws StoreError */
function copy(claimed: string, to: string): void {
  const incoming = `${to}-incoming`;
  try {
    rmSync(incoming, { recursive: true, force: true });
    makeFolder(incoming);
    for (const name of readdirSync(claimed)) copyFileSync(join(claimed, name), join(incoming, name));
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

/** Removes the original of a copy, and then the note of where that was. */
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

/** Whether there is nothing, or a store in which nothing was ever kept. @throws StoreError while a server uses it */
async function isFree(to: string): Promise<boolean> {
  if (!holdsStore(to)) return !existsSync(to) || readdirSync(to).length === 0;
  let level: ClassicLevel;
  try {
    level = await openLevel(to);
  } catch (error) {
    if (isLocked(error)) throw inUse(dirname(to));
    return false;
  }
  try {
    return (await level.keys({ limit: 2 }).all()).every((key) => key === "format");
  } finally {
    await level.close();
  }
}

/** Where the lock is; one that is there without a reason is a crash's, and goes with the next turn. */
const turnOf = (folder: string) => join(folder, "moving");

/** Keeps other servers of the same folder out; a lock that ends with its process. @throws StoreError if one is at it */
async function takeTurn(folder: string): Promise<{ end(): Promise<void> }> {
  const path = turnOf(folder);
  let level: ClassicLevel;
  try {
    level = await openLevel(path, true);
  } catch (error) {
    if (isLocked(error)) throw inUse(folder);
    throw new StoreError(`cannot keep jobs in ${folder}: ${reasonOf(rootOf(error))}`);
  }
  const remove = () => rmSync(path, { recursive: true, force: true });
  return {
    async end() {
      // While it is locked, so that it is not another server's by then. Windows removes nothing that is open.
      if (process.platform !== "win32") remove();
      await level.close();
      if (process.platform === "win32") remove();
    },
  };
}

const inUse = (folder: string) =>
  new StoreError(
    `cannot keep jobs in ${folder}: another server uses it; name another port (JAI_PORT), which has its own folder, or a folder (JAI_DATA_DIR)`,
  );

async function openLevel(path: string, createIfMissing = false): Promise<ClassicLevel> {
  const level = new ClassicLevel(path, { createIfMissing });
  await level.open();
  return level;
}

/** classic-level wraps what LevelDB says. */
const rootOf = (error: unknown) => ((error as Error).cause ?? error) as NodeJS.ErrnoException;

const isLocked = (error: unknown) => rootOf(error).code === "LEVEL_LOCKED";

/** Removes what LevelDB leaves where it finds no store. */
function removeEmptyStore(path: string): void {
  for (const name of ["LOCK", "LOG", "LOG.old"]) rmSync(join(path, name), { force: true });
  removeIfEmpty(path);
}

function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Something else is in it, or it is not there.
  }
}
