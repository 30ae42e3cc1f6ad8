import { closeSync, existsSync, openSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Aside, asideOf } from "./aside.js";
import { Database } from "./database.js";
import { assertFile } from "./folder.js";
import { FolderLock } from "./lock.js";
import { ANY_SIZE, damageOf, LOST, openSound, remainsOf, type Salvage } from "./salvage.js";
import { DATABASE, OWN_KEYS } from "./store.js";
import { StoreError } from "./store-error.js";

/** What a look at a data folder has found. */
export interface Inspection {
  file: string;
  /** Records that can be read, by what they are: `job`, `body`, `result`, `key`, `answer`, `usage`. */
  counts: ReadonlyMap<string, number>;
  /** What is wrong with the file, or null. */
  damage: string | null;
  /** Keys of records that can't be read, and how many more there are; null if nobody can tell. */
  lost: string[];
  unnamed: number | null;
  /** Files that repairs have moved aside. */
  aside: Aside[];
}

const isRecord = (key: string) => key.includes("/") && !key.startsWith(LOST) && !OWN_KEYS.includes(key);

/** Looks at all of a data folder's file. @throws StoreError if there is none, or a server uses it */
export function inspect(folder: string): Promise<Inspection> {
  return alone(folder, (file) => {
    let damage: string | null;
    try {
      const database = new Database(file, ANY_SIZE);
      try {
        damage = database.check(true);
      } finally {
        database.close();
      }
    } catch (error) {
      damage = damageOf(file, error as Error);
      if (damage === null) throw new StoreError(`cannot read ${file}: ${(error as Error).message}`);
    }
    const { rows, lost, unnamed } = remainsOf(file);
    const keys = new Set<string>();
    for (const { key } of rows()) if (isRecord(key)) keys.add(key);
    const counts = new Map<string, number>();
    for (const key of keys) {
      const kind = key.slice(0, key.indexOf("/"));
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
    // A sound file has no lost records: what looks like one is the rest of something deleted.
    return {
      file,
      counts,
      damage,
      lost: damage === null ? [] : lost,
      unnamed: damage === null ? 0 : unnamed,
      aside: asideOf(file),
    };
  });
}

/** Does what a start does with a damaged file. @returns null if it is sound */
export function repair(folder: string): Promise<Salvage | null> {
  return alone(folder, (file) => {
    const { database, salvage } = openSound(file, ANY_SIZE, true);
    database.close();
    return salvage;
  });
}

/** The newest genuine text of each record of a file, which need not be sound. @throws StoreError if it can't be read */
export function* textsOf(file: string): Generator<[key: string, text: string]> {
  assertFile(file);
  try {
    closeSync(openSync(file, "r"));
  } catch (error) {
    throw new StoreError(`cannot read ${file}: ${(error as Error).message}`);
  }
  const { rows } = remainsOf(file);
  const newest = new Map<string, number>();
  for (const { key, version } of rows()) newest.set(key, Math.max(version, newest.get(key) ?? 0));
  for (const { key, version, text } of rows()) {
    if (!isRecord(key) || newest.get(key) !== version) continue;
    newest.delete(key);
    yield [key, text];
  }
}

/** Runs `work` while no server can use the folder. */
async function alone<T>(folder: string, work: (file: string) => T): Promise<T> {
  const file = fileIn(folder);
  if (!existsSync(file)) throw new StoreError(`there are no jobs in ${folder}: expected ${file}`);
  assertFile(file);
  // To open it would make an empty store of it, in which nothing is missing.
  if (statSync(file).size === 0)
    throw new StoreError(
      `${file} is empty: if anything was kept there, it is lost; the next start begins anew`,
    );
  const lock = await FolderLock.take(join(folder, "jobs"), file).catch((error: Error) => {
    throw new StoreError(`${folder} cannot be looked into: ${error.message}`);
  });
  try {
    return work(file);
  } finally {
    await lock.end();
  }
}

export const fileIn = (folder: string) => join(folder, "jobs", DATABASE);
