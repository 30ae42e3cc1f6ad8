import { existsSync, rmSync } from "node:fs";
import { type Aside, moveAside, removeOldAside } from "./aside.js";
import { Database, flush, isDamage, putInPlace, TALLY } from "./database.js";
import { rawRows } from "./raw-rows.js";
import { type Row, readRow } from "./record.js";
import { StoreError } from "./store-error.js";
import { headerDamage } from "./trees.js";

/** What a salvage of a damaged database came to. */
export interface Salvage {
  /** Why it was needed. */
  reason: string;
  /** Where the damaged file is now. */
  aside: string;
  saved: number;
  /** Keys of records that can't be read any more. */
  lost: string[];
  /** Records that are lost though no key of theirs is left; null if nobody can tell how many. */
  unnamed: number | null;
  /** Files that earlier salvages moved aside, and this one removed: only the newest two are kept. */
  removed: Aside[];
}

/** Key of a row that asks the next start to read the second copies too. */
export const SUSPECT = "suspect";

/** A repair must not fail for the bound on the file: what is in the damaged one has its room. */
export const ANY_SIZE = 2 ** 42;

/** Rows under this prefix name lost records, until those who miss them have taken note. */
export const LOST = "lost/";

/** How many records are lost: `3 are lost, and 2 more whose names are lost too`. */
export function lostInWords({ length: count }: readonly string[], unnamed: number | null): string {
  const known = `${count} ${count === 1 ? "is" : "are"} lost`;
  if (unnamed === null) return `${known}, and nobody can tell how many more`;
  return unnamed > 0 ? `${known}, and ${unnamed} more whose names are lost too` : known;
}

/** What can be read of a database, without changing it. */
export interface Remains {
  /** Genuine rows; a key may come more than once, with several versions. */
  rows: () => Generator<Row>;
  /** Keys of which no genuine row is left. */
  lost: string[];
  unnamed: number | null;
}

/** Keys as this server makes them: what else looks like one is a damaged one. */
const KEY = /^[a-z]+(\/[\w.:/-]+)?$/;

export function remainsOf(path: string): Remains {
  const named = new Set<string>();
  const genuine = new Set<string>();
  let tally = { version: -1, rows: 0 };
  for (const { kind, blobs } of rawRows(path)) {
    const [key, stamp, text] = blobs;
    const row = kind === "table" ? readRow(key, stamp, text) : null;
    if (row !== null) {
      genuine.add(row.key);
      if (row.key === TALLY && row.version > tally.version)
        tally = { version: row.version, ...(JSON.parse(row.text) as { rows: number }) };
    } else if (key !== undefined && KEY.test(key.toString())) named.add(key.toString());
  }
  const lost = [...named].filter((key) => !genuine.has(key)).sort();
  // The tally itself may be lost.
  const unnamed = tally.version < 0 ? null : Math.max(tally.rows - genuine.size - lost.length, 0);
  const rows = function* () {
    for (const { kind, blobs } of rawRows(path)) {
      const row = kind === "table" ? readRow(blobs[0], blobs[1], blobs[2]) : null;
      if (row !== null && row.key !== TALLY && row.key !== SUSPECT) yield row;
    }
  };
  return { rows, lost, unnamed };
}

/**
 * Opens the database; a damaged one is moved aside, and a new one is made of what can be read of it. At any moment one
 * of the two files is complete: the next start finishes what a crash interrupted.
 */
export function openSound(
  path: string,
  maxBytes: number,
  isWhole = false,
): { database: Database; salvage: Salvage | null } {
  const incoming = incomingOf(path);
  // The damaged file was moved aside a moment before a crash; this one was complete by then.
  if (!existsSync(path) && existsSync(incoming)) putInPlace(incoming, path);
  let reason: string | null;
  let database: Database | null = null;
  try {
    database = new Database(path, maxBytes);
    reason = database.check(isWhole || database.get(SUSPECT).row !== null);
  } catch (error) {
    reason = damageOf(path, error as Error);
    if (reason === null) throw error;
  }
  if (reason === null) return { database: database!, salvage: null };
  database?.close();
  const salvage = salvageOf(path, reason);
  database = reopened(path, maxBytes);
  return { database, salvage: { ...salvage, removed: removeOldAside(path, salvage.aside) } };
}

/** What an error says of the file's bytes; null if it tells of the disk. */
export function damageOf(path: string, error: Error): string | null {
  if (error instanceof StoreError) return null;
  if (isDamage(error)) return error.message;
  // One wrong bit of the header makes SQLite say that it may not write.
  return /readonly/.test(error.message) ? headerDamage(path) : null;
}

function salvageOf(path: string, reason: string): Omit<Salvage, "removed"> {
  const incoming = incomingOf(path);
  for (const end of ["", "-journal", ".lock"]) rmSync(incoming + end, { recursive: true, force: true });
  const { rows, lost, unnamed } = remainsOf(path);
  const fresh = new Database(incoming, ANY_SIZE);
  let saved: number;
  try {
    fresh.together((write) => {
      for (const row of rows()) fresh.adopt(row);
      for (const key of lost) write(LOST + key, JSON.stringify({ at: Date.now() }));
    });
    saved = fresh.count((key) => key.includes("/") && !key.startsWith(LOST));
  } finally {
    fresh.close();
  }
  flush(incoming);
  const aside = moveAside(path, "damaged");
  putInPlace(incoming, path);
  rmSync(`${incoming}-journal`, { force: true });
  return { reason, aside, saved, lost, unnamed };
}

function reopened(path: string, maxBytes: number): Database {
  const database = new Database(path, maxBytes);
  const reason = database.check(database.get(SUSPECT).row !== null);
  if (reason === null) return database;
  database.close();
  throw new Error(`what was just written is damaged again (${reason})`);
}

const incomingOf = (path: string) => `${path}.incoming`;
