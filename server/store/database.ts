import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, resolve } from "node:path";
import type { Database as Connection, Statement } from "node-sqlite3-wasm";
import { moveAside } from "./aside.js";
import { assertFile, makeFolder } from "./folder.js";
import { knowingOwnLock } from "./own-lock.js";
import { PAGE_BYTES } from "./raw-rows.js";
import { type Row, readRow, stampOf } from "./record.js";
import { isComplete, LARGE_IDS, Tally } from "./tally.js";
import { headerDamage, treeDamage } from "./trees.js";

// The package is CommonJS with exports that Node's import can't see.
const sqlite = createRequire(import.meta.url)("node-sqlite3-wasm") as typeof import("node-sqlite3-wasm");

/** One change: a text to store under a key, or null to delete the key. */
export type Write = readonly [key: string, text: string | null];

const COLUMNS = "(id INTEGER PRIMARY KEY, key BLOB NOT NULL, stamp BLOB NOT NULL, text BLOB NOT NULL)";
const SCHEMA = {
  by_key: "CREATE UNIQUE INDEX by_key ON entries(key)",
  copies: `CREATE TABLE copies${COLUMNS}`,
  entries: `CREATE TABLE entries${COLUMNS}`,
};

/** Key of the row with the `Tally`. Every transaction rewrites it, so that lost rows are noticed and counted. */
export const TALLY = "tally";
/** Records of these kinds are read when they are needed, all others at the start. */
const LARGE = ["body/", "result/", "answer/"];
/** The journal is cut to this size after a transaction that needed more. */
const JOURNAL_BYTES = 1024 * 1024;
/** Below, not even the store's own rows would fit. */
const LEAST_PAGES = 64;
/** Free pages that are kept for later writes; the rest is given back to the file system. */
const SPARE_PAGES = 1024;
const GIVE_BACK_PAGES = 512;

/** Looks up keys and ids in the index alone: the rows themselves may be damaged. */
const BY_KEY = "entries INDEXED BY by_key";
const READ = "id, CAST(key AS BLOB) AS key, CAST(stamp AS BLOB) AS stamp, CAST(text AS BLOB) AS text";

/** What a read found. */
export interface Found {
  /** The row, if one of its two copies is genuine. */
  row: Row | null;
  /** The key of a row whose both copies are damaged. */
  damaged: string | null;
  /** Whether the row came from its second copy. */
  healed: boolean;
}

/** What reading both copies of some records has found. */
export interface Scrubbed {
  /** The key to go on after, or null at the end. */
  next: string | null;
  /** Records of which one copy was bad, and was written anew. */
  healed: number;
  /** Keys of records of which both copies are bad. */
  damaged: string[];
}

/** The file's own bytes are wrong. */
export class Damaged extends Error {
  override name = "Damaged";
}

/** Whether an error is about wrong bytes in the file, not about a disk that can't be read or written. */
export const isDamage = ({ message, ...error }: NodeJS.ErrnoException) =>
  error.code === undefined &&
  !/disk|unable to open|could not open|locked|readonly|permission/i.test(withoutImage(message));

/** SQLite's "database disk image is malformed" is about the file. */
const withoutImage = (message: string) => message.replace("database disk image", "");

/** The path names another file than the one that is open, or none. */
export class Replaced extends Error {
  override name = "Replaced";
}

/**
 * Texts by key in an SQLite file, each stored twice, with a stamp that tells whether any byte has changed. Calls are
 * synchronous, and a write waits for the disk: use it in a thread of its own.
 *
 * The file is written with a rollback journal, not with a write-ahead log: a committed text is then in the one file. A
 * wrong bit in a log would silently drop all that was written after it.
 */
export class Database {
  #connection: Connection | null = null;
  #statements = new Map<string, Statement>();
  #identity = "";
  #version = 0;
  #tally = new Tally();
  /** The next ids of small and of large rows; null until the first is needed. */
  #nextIds: { small: number; large: number } | null = null;
  /** Rows and keys that the check has read, by kind. They are dropped when they have been asked for, or at a write. */
  #freshRows = new Map<string, Row[]>();
  #freshKeys = new Map<string, string[]>();

  /** Makes the file if there is none. @throws if it can't be opened; `check` says whether it is sound */
  constructor(
    readonly path: string,
    readonly maxBytes: number,
  ) {
    assertFile(path);
    const isNew = !existsSync(path) || statSync(path).size === 0;
    this.#connect();
    if (isNew) this.#make();
  }

  /**
   * Why the file can't be trusted as it is, or null. A start reads the small rows, the index and the inner pages of the
   * trees; a large row is verified when it is read, and its second copy is found by its id.
   * @param isWhole whether every row and every second copy is read, which takes several times as long
   */
  check(isWhole: boolean): string | null {
    const schema = this.#all("SELECT name, sql, rootpage FROM sqlite_schema WHERE sql IS NOT NULL");
    const { entries, copies, by_key } = Object.fromEntries(schema.map(({ name, sql }) => [name, sql]));
    const isOurs = entries === SCHEMA.entries && copies === SCHEMA.copies && by_key === SCHEMA.by_key;
    if (!isOurs) return "it has not the tables of a store";
    for (const [pragma, expected] of [
      ["page_size", PAGE_BYTES],
      ["auto_vacuum", 2],
    ] as const) {
      const got = Object.values(this.#all(`PRAGMA ${pragma}`)[0]!)[0];
      if (got !== expected) return `expected ${pragma} ${expected}, got ${got}`;
    }
    const roots = schema.map(({ rootpage }) => rootpage as number);
    const wrong = headerDamage(this.path) ?? treeDamage(this.path, roots);
    if (wrong !== null) return wrong;
    const stored = this.get(TALLY).row;
    return isWhole || !isComplete(stored?.text ?? null) ? this.#checkAll() : this.#checkSmall();
  }

  #checkAll(): string | null {
    const [first] = this.#all("PRAGMA integrity_check(1)");
    if (first?.integrity_check !== "ok") return String(first?.integrity_check).split("\n").at(-1)!;
    const tally = new Tally();
    const select = `SELECT ${READ} FROM entries NOT INDEXED`;
    const wrong = this.#checkRows(select, (key, id) => tally.add(key, id));
    if (wrong !== null) return wrong;
    let copies = 0;
    for (const { key, stamp, text } of this.#iterate(`SELECT ${READ} FROM copies NOT INDEXED`)) {
      if (readRow(key, stamp, text) === null) return "a record in copies is not what was written";
      copies++;
    }
    if (copies !== tally.rows) return "records have no second copy";
    return this.#adoptTally(tally);
  }

  #checkSmall(): string | null {
    const tally = new Tally();
    const small = `SELECT ${READ} FROM entries NOT INDEXED WHERE id < ${LARGE_IDS}`;
    const wrong = this.#checkRows(small, (key, id) => tally.addSmall(key, id));
    if (wrong !== null) return wrong;
    let last: Buffer | null = null;
    for (const { id, key } of this.#iterate(
      `SELECT id, CAST(key AS BLOB) AS key FROM ${BY_KEY} ORDER BY key`,
    )) {
      const bytes = Buffer.from(key as Uint8Array);
      if (last !== null && last.compare(bytes) >= 0) return "the index is not in order";
      tally.addToIndex(bytes, id as number);
      last = bytes;
      const text = bytes.toString();
      keep(this.#freshKeys, kindOf(text), text);
    }
    return this.#adoptTally(tally);
  }

  /** Verifies rows, and keeps the small ones: the start asks for them right afterwards. */
  #checkRows(select: string, count: (key: Uint8Array, id: number) => void): string | null {
    this.#forgetFresh();
    for (const { id, key, stamp, text } of this.#iterate(select)) {
      const row = readRow(key, stamp, text);
      if (row === null) return "a record in entries is not what was written";
      this.#version = Math.max(this.#version, row.version);
      count(key as Uint8Array, id as number);
      if (!LARGE.includes(kindOf(row.key))) keep(this.#freshRows, kindOf(row.key), row);
    }
    for (const rows of this.#freshRows.values()) rows.sort((one, other) => (one.key < other.key ? -1 : 1));
    return null;
  }

  #adoptTally(tally: Tally): string | null {
    this.#tally = tally;
    return tally.differenceFrom(this.get(TALLY).row?.text ?? null);
  }

  get(key: string): Found {
    const id = this.#idOf(Buffer.from(key));
    return id === null ? { row: null, damaged: null, healed: false } : this.#genuine(id, key);
  }

  /** Up to `limit` rows whose keys begin with `prefix` and come after `after`, in the order of their keys. */
  page(prefix: string, after: string, limit: number): Found[] {
    return (
      shifted(this.#freshRows, prefix, limit, ({ key }) => key > after)?.map((row) => ({
        row,
        damaged: null,
        healed: false,
      })) ?? this.#keysAfter(prefix, after, limit).map(([key, id]) => this.#genuine(id, key))
    );
  }

  #forgetFresh(): void {
    this.#freshRows.clear();
    this.#freshKeys.clear();
  }

  /** Keys and ids as the index has them. */
  #keysAfter(prefix: string, after: string, limit: number): [key: string, id: number][] {
    const end = Buffer.concat([Buffer.from(prefix), Buffer.of(0xff)]);
    // One lower bound: SQLite would look one of two up in the index, and walk from there to the other.
    const [bound, from] = after === "" ? [">=", prefix] : [">", after];
    const select = `SELECT id, CAST(key AS BLOB) AS key FROM ${BY_KEY} WHERE key ${bound} ? AND key < ? ORDER BY key LIMIT ?`;
    return this.#all(select, [Buffer.from(from), end, limit]).map(({ id, key }) => [
      Buffer.from(key as Uint8Array).toString(),
      id as number,
    ]);
  }

  #idOf(key: Uint8Array): number | null {
    const [found] = this.#all(`SELECT id FROM ${BY_KEY} WHERE key = ?`, [key]);
    return (found?.id as number | undefined) ?? null;
  }

  #genuine(id: number, key: string): Found {
    for (const table of ["entries", "copies"] as const) {
      const row = this.#rowIn(table, id);
      if (row?.key === key) return { row, damaged: null, healed: table === "copies" };
    }
    return { row: null, damaged: key, healed: false };
  }

  /** A row that is what was written, or null. An error of a damaged tree counts as a bad row: the other copy may be good. */
  #rowIn(table: "entries" | "copies", id: number): Row | null {
    try {
      const [found] = this.#all(`SELECT ${READ} FROM ${table} WHERE id = ?`, [id]);
      return found === undefined ? null : readRow(found.key, found.stamp, found.text);
    } catch (error) {
      if (isDamage(error as NodeJS.ErrnoException)) return null;
      throw error;
    }
  }

  /**
   * Returns when all changes are on disk; if it throws, none of them counts. @throws Replaced if they went to a file
   * that nobody will find again
   */
  write(writes: readonly Write[]): void {
    const tally = this.#tally.copy();
    this.#forgetFresh();
    this.#run("BEGIN IMMEDIATE");
    try {
      this.#version++;
      for (const [key, text] of writes) this.#writeOne(key, text);
      this.#writeTally();
      if (writes.some(([, text]) => text === null)) this.#giveBack();
      this.#run("COMMIT");
    } catch (error) {
      this.#tally = tally;
      this.#rollBack();
      throw error;
    }
    if (!this.isInPlace) throw new Replaced(`${this.path} was removed or replaced while it was in use`);
  }

  /**
   * Returns when a write has succeeded and was read back from a newly opened file. A file that was removed is written
   * again; one that was put in its place is moved aside.
   * @returns the new name of a file that was moved aside
   */
  probe(token: string): string | null {
    if (this.#connection === null) this.#connect();
    const aside = this.isInPlace ? null : this.#writeAgain();
    // A commit whose last flush has failed may be on disk all the same.
    this.#tally = Tally.read(this.get(TALLY).row?.text ?? null) ?? this.#tally;
    this.write([["probe", JSON.stringify(token)]]);
    this.#disconnect();
    this.#connect();
    const { row } = this.get("probe");
    if (row?.text !== JSON.stringify(token)) throw new Error("what was written could not be read back");
    return aside;
  }

  /** Whether the path still names the open file. */
  get isInPlace(): boolean {
    return identityOf(this.path) === this.#identity;
  }

  /** Reads both copies of the next `limit` records, and writes bad ones anew. */
  scrub(after: string, limit: number): Scrubbed {
    const keys = this.#keysAfter("", after, limit);
    const next = keys.length < limit ? null : keys.at(-1)![0];
    return { next, ...this.heal(keys.map(([key]) => key)) };
  }

  /** Writes a bad copy anew from the good one. @returns how many records that were, and the keys without a good copy */
  heal(keys: readonly string[]): Omit<Scrubbed, "next"> {
    const healed: Write[] = [];
    const damaged: string[] = [];
    for (const key of keys) {
      const id = this.#idOf(Buffer.from(key));
      if (id === null) continue;
      const copies = (["entries", "copies"] as const).map((table) => this.#rowIn(table, id));
      const [newest] = copies
        .filter((row) => row?.key === key)
        .sort((one, other) => other!.version - one!.version);
      if (newest === undefined) damaged.push(key);
      else if (copies.some((row) => row?.version !== newest!.version)) healed.push([key, newest!.text]);
    }
    if (healed.length > 0) this.write(healed);
    for (const [key] of healed)
      if (this.get(key).healed) throw new Damaged(`the record ${key} cannot be written over`);
    return { healed: healed.length, damaged };
  }

  /** Up to `limit` keys that begin with `prefix` and come after `after`, in their order. */
  keys(prefix: string, after: string, limit: number): string[] {
    return (
      shifted(this.#freshKeys, prefix, limit, (key) => key > after) ??
      this.#keysAfter(prefix, after, limit).map(([key]) => key)
    );
  }

  /** How many keys pass a test. */
  count(passes: (key: string) => boolean): number {
    let count = 0;
    for (const { key } of this.#iterate(`SELECT CAST(key AS BLOB) AS key FROM ${BY_KEY}`))
      if (passes(Buffer.from(key as Uint8Array).toString())) count++;
    return count;
  }

  /** Adds a row as it was read elsewhere, unless a newer one of its key is there. Only within `together`. */
  adopt({ key, version, text }: Row): void {
    const known = this.get(key).row;
    if (known !== null && known.version >= version) return;
    this.#version = Math.max(this.#version, version);
    this.#writeOne(key, text, version);
  }

  /** Makes one transaction of all that `work` adopts and writes. */
  together(work: (write: (key: string, text: string) => void) => void): void {
    this.#run("BEGIN IMMEDIATE");
    try {
      work((key, text) => this.#writeOne(key, text));
      this.#version++;
      this.#writeTally();
      this.#run("COMMIT");
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  close(): void {
    this.#disconnect();
  }

  #writeTally(): void {
    const key = Buffer.from(TALLY);
    const id = this.#idOf(key) ?? this.#newId(TALLY);
    const counted = this.#tally.copy();
    if (this.#idOf(key) === null) counted.add(key, id);
    this.#writeOne(TALLY, counted.toString(), this.#version, id);
  }

  #newId(key: string): number {
    const largest = (below: number) =>
      this.#all("SELECT max(id) AS id FROM entries WHERE id < ?", [below])[0]!.id as number | null;
    this.#nextIds ??= {
      small: (largest(LARGE_IDS) ?? 0) + 1,
      large: Math.max((largest(Number.MAX_SAFE_INTEGER) ?? 0) + 1, LARGE_IDS),
    };
    return LARGE.some((prefix) => key.startsWith(prefix)) ? this.#nextIds.large++ : this.#nextIds.small++;
  }

  #writeOne(key: string, text: string | null, version = this.#version, newId?: number): void {
    const keyBytes = Buffer.from(key);
    const known = this.#idOf(keyBytes);
    if (text === null) {
      if (known !== null) this.#delete(keyBytes, known);
      return;
    }
    const textBytes = Buffer.from(text);
    const stamp = stampOf(keyBytes, version, textBytes);
    const id = known ?? newId ?? this.#newId(key);
    if (known === null) {
      this.#run("INSERT INTO entries(id, key, stamp, text) VALUES (?, ?, ?, ?)", [
        id,
        keyBytes,
        stamp,
        textBytes,
      ]);
      this.#tally.add(keyBytes, id);
    } else {
      const update = "UPDATE entries SET stamp = ?, text = ? WHERE id = ? RETURNING id";
      if (this.#all(update, [stamp, textBytes, id]).length === 0) throw misplaced(key);
    }
    this.#run("INSERT OR REPLACE INTO copies(id, key, stamp, text) VALUES (?, ?, ?, ?)", [
      id,
      keyBytes,
      stamp,
      textBytes,
    ]);
  }

  #delete(key: Uint8Array, id: number): void {
    if (this.#all("DELETE FROM entries WHERE id = ? RETURNING id", [id]).length === 0)
      throw misplaced(`${Buffer.from(key)}`);
    this.#run("DELETE FROM copies WHERE id = ?", [id]);
    this.#tally.remove(key, id);
  }

  #giveBack(): void {
    const free = this.#all("PRAGMA freelist_count")[0]!.freelist_count as number;
    if (free > SPARE_PAGES + GIVE_BACK_PAGES)
      this.#connection!.exec(`PRAGMA incremental_vacuum(${GIVE_BACK_PAGES})`);
  }

  /** Puts all that the open file holds where its path is, though the folder was deleted or another file is there. */
  #writeAgain(): string | null {
    const { path } = this;
    makeFolder(dirname(path));
    const incoming = `${path}.incoming`;
    rmSync(incoming, { force: true });
    this.#connection!.run("VACUUM INTO ?", [incoming]);
    flush(incoming);
    this.#disconnect();
    const aside = existsSync(path) ? moveAside(path, "replaced") : null;
    putInPlace(incoming, path);
    this.#connect();
    return aside;
  }

  #connect(): void {
    // Only the holder of the folder's lock comes here, so this lock was left by a process that was killed.
    rmSync(`${this.path}.lock`, { recursive: true, force: true });
    const connection = new sqlite.Database(this.path);
    this.#connection = connection;
    try {
      const settings = `PRAGMA locking_mode = EXCLUSIVE; PRAGMA page_size = ${PAGE_BYTES};
        PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = PERSIST; PRAGMA synchronous = FULL;
        PRAGMA secure_delete = ON; PRAGMA journal_size_limit = ${JOURNAL_BYTES}; PRAGMA temp_store = MEMORY;
        PRAGMA max_page_count = ${Math.max(Math.floor(this.maxBytes / PAGE_BYTES), LEAST_PAGES)}; BEGIN IMMEDIATE; COMMIT`;
      // The first of them that reads rolls back what was cut off.
      knowingOwnLock(resolve(this.path), () => connection.exec(settings));
      this.#identity = identityOf(this.path);
    } catch (error) {
      this.#disconnect();
      throw error;
    }
  }

  #make(): void {
    this.#connection!.exec(`BEGIN IMMEDIATE; ${Object.values(SCHEMA).toReversed().join("; ")}; COMMIT`);
    this.write([]);
    flush(dirname(this.path));
  }

  #disconnect(): void {
    for (const statement of this.#statements.values()) finish(statement);
    this.#statements.clear();
    this.#connection?.close();
    this.#connection = null;
  }

  #rollBack(): void {
    try {
      if (this.#connection?.inTransaction) this.#connection.exec("ROLLBACK");
    } catch {
      // SQLite has rolled back by itself.
    }
  }

  #statement(sql: string): Statement {
    if (this.#connection === null) this.#connect();
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const made = this.#connection!.prepare(sql);
    this.#statements.set(sql, made);
    return made;
  }

  #run(sql: string, values: (number | Uint8Array)[] = []): void {
    this.#all(sql, values);
  }

  /** Runs to the end, since a statement that has not ended keeps its transaction open. */
  #all(sql: string, values: (number | Uint8Array)[] = []): Record<string, unknown>[] {
    const statement = this.#statement(sql);
    try {
      return statement.all(values) as Record<string, unknown>[];
    } catch (error) {
      // A statement that has failed tells its error again when it is used or ended.
      this.#statements.delete(sql);
      finish(statement);
      throw error;
    }
  }

  *#iterate(sql: string): Generator<Record<string, unknown>> {
    const statement = this.#connection!.prepare(sql);
    try {
      yield* statement.iterate() as Iterable<Record<string, unknown>>;
    } finally {
      finish(statement);
    }
  }
}

/** `job/` of `job/7`; empty for the store's own rows. */
const kindOf = (key: string) => key.slice(0, key.indexOf("/") + 1);

function keep<T>(lists: Map<string, T[]>, kind: string, one: T): void {
  const known = lists.get(kind);
  if (known === undefined) lists.set(kind, [one]);
  else known.push(one);
}

/** Takes up to `limit` items off a kind's list; null if it has none, or if its first is not the one that is to come next. */
function shifted<T>(
  lists: Map<string, T[]>,
  kind: string,
  limit: number,
  isNext: (one: T) => boolean,
): T[] | null {
  const list = lists.get(kind);
  if (list === undefined || !isNext(list[0]!)) return null;
  const page = list.slice(0, limit);
  if (page.length < list.length) lists.set(kind, list.slice(limit));
  else lists.delete(kind);
  return page;
}

const misplaced = (key: string) => new Damaged(`the record ${key} is not where the index says`);

function finish(statement: Statement): void {
  try {
    statement.finalize();
  } catch {
    // It tells the error of its last use, which was told before.
  }
}

/** Which file a path names; empty if none. */
function identityOf(path: string): string {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? "" : `${stats.dev}/${stats.ino}`;
}

/** Moves a finished database to a path that is free. */
export function putInPlace(incoming: string, path: string): void {
  // The journal of another database must not be rolled back into this one.
  for (const end of ["-journal", ".lock"]) rmSync(`${path}${end}`, { recursive: true, force: true });
  renameSync(incoming, path);
  flush(dirname(path));
}

/** Waits until a file, or a folder's list of files, is on disk. */
export function flush(path: string): void {
  // Windows can't open a folder.
  if (process.platform === "win32" && statSync(path).isDirectory()) return;
  const file = openSync(path, statSync(path).isDirectory() ? "r" : "r+");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
