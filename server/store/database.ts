import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import type { Database as Connection, Statement } from "node-sqlite3-wasm";
import { makeFolder } from "./folder.js";
import { PAGE_BYTES } from "./raw-rows.js";
import { type Row, readRow, stampOf } from "./record.js";

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

/** Key of a row that every transaction rewrites, so that a loss can at least be counted. */
export const TALLY = "tally";
/** The journal is cut to this size after a transaction that needed more. */
const JOURNAL_BYTES = 1024 * 1024;
/** Below, not even the store's own rows would fit. */
const LEAST_PAGES = 64;
/** Free pages that are kept for later writes; the rest is given back to the file system. */
const SPARE_PAGES = 1024;
const GIVE_BACK_PAGES = 512;

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
  #rows = 0;

  /** Makes the file if there is none. @throws if it can't be opened; `check` says whether it is sound */
  constructor(
    readonly path: string,
    readonly maxBytes: number,
  ) {
    const isNew = !existsSync(path) || statSync(path).size === 0;
    this.#connect();
    if (isNew) this.#make();
  }

  /**
   * Why the file can't be trusted as it is, or null.
   * @param isWhole whether the second copies are read too, which takes twice as long
   */
  check(isWhole: boolean): string | null {
    const { entries, copies, by_key } = Object.fromEntries(
      this.#all("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL").map(({ name, sql }) => [
        name,
        sql,
      ]),
    );
    const isOurs = entries === SCHEMA.entries && copies === SCHEMA.copies && by_key === SCHEMA.by_key;
    if (!isOurs) return "it has not the tables of a store";
    for (const [pragma, expected] of [
      ["page_size", PAGE_BYTES],
      ["auto_vacuum", 2],
    ] as const) {
      const got = Object.values(this.#all(`PRAGMA ${pragma}`)[0]!)[0];
      if (got !== expected) return `expected ${pragma} ${expected}, got ${got}`;
    }
    const [first] = this.#all(`PRAGMA integrity_check(${isWhole ? "1" : "entries"})`);
    if (first?.integrity_check !== "ok") return String(first?.integrity_check).split("\n").at(-1)!;
    return this.#checkRows(isWhole);
  }

  /** The newest version, and how many rows there should be, as far as the file tells. */
  #checkRows(isWhole: boolean): string | null {
    let rows = 0;
    let tallied: number | null = null;
    for (const table of isWhole ? (["entries", "copies"] as const) : (["entries"] as const))
      for (const { key, stamp, text } of this.#iterate(`SELECT ${READ} FROM ${table} NOT INDEXED`)) {
        const row = readRow(key, stamp, text);
        if (row === null) return `a record in ${table} is not what was written`;
        this.#version = Math.max(this.#version, row.version);
        if (table === "copies") rows--;
        else if (row.key === TALLY) tallied = (JSON.parse(row.text) as { rows: number }).rows;
        if (table === "entries") this.#rows = ++rows;
      }
    if (isWhole && rows !== 0) return "records have no second copy";
    // The tally counts itself.
    return (tallied ?? 0) === this.#rows ? null : `expected ${tallied ?? 0} records, got ${this.#rows}`;
  }

  get(key: string): Found {
    const bytes = Buffer.from(key);
    const [found] = this.#all(`SELECT ${READ} FROM entries WHERE key = ?`, [bytes]);
    if (found === undefined) return { row: null, damaged: null, healed: false };
    return this.#genuine(found, key);
  }

  /** Up to `limit` rows whose keys begin with `prefix` and come after `after`, in the order of their keys. */
  page(prefix: string, after: string, limit: number): Found[] {
    const end = Buffer.concat([Buffer.from(prefix), Buffer.of(0xff)]);
    // One lower bound: SQLite would look one of two up in the index, and walk from there to the other.
    const [bound, from] = after === "" ? [">=", prefix] : [">", after];
    const select = `SELECT ${READ} FROM entries WHERE key ${bound} ? AND key < ? ORDER BY key LIMIT ?`;
    return this.#all(select, [Buffer.from(from), end, limit]).map((found) => this.#genuine(found, null));
  }

  #genuine({ id, key, stamp, text }: Record<string, unknown>, expected: string | null): Found {
    const row = readRow(key, stamp, text);
    const fits = (one: Row | null) => one !== null && (expected === null || one.key === expected);
    if (fits(row)) return { row, damaged: null, healed: false };
    const [copy] = this.#all(`SELECT ${READ} FROM copies WHERE id = ?`, [id as number]);
    const second = copy === undefined ? null : readRow(copy.key, copy.stamp, copy.text);
    if (fits(second)) return { row: second, damaged: null, healed: true };
    return { row: null, damaged: expected ?? Buffer.from(key as Uint8Array).toString(), healed: false };
  }

  /**
   * Returns when all changes are on disk; if it throws, none of them counts. @throws Replaced if they went to a file
   * that nobody will find again
   */
  write(writes: readonly Write[]): void {
    const rows = this.#rows;
    this.#run("BEGIN IMMEDIATE");
    try {
      this.#version++;
      for (const [key, text] of writes) this.#writeOne(key, text);
      this.#writeOne(TALLY, this.#tally());
      if (writes.some(([, text]) => text === null)) this.#giveBack();
      this.#run("COMMIT");
    } catch (error) {
      this.#rows = rows;
      this.#rollBack();
      throw error;
    }
    if (identityOf(this.path) !== this.#identity)
      throw new Replaced(`${this.path} was removed or replaced while it was in use`);
  }

  /**
   * Returns when a write has succeeded and was read back from a newly opened file. A file that was removed is written
   * again; one that was put in its place is moved aside.
   * @returns the new name of a file that was moved aside
   */
  probe(token: string): string | null {
    if (this.#connection === null) this.#connect();
    const aside = identityOf(this.path) === this.#identity ? null : this.#writeAgain();
    this.write([["probe", JSON.stringify(token)]]);
    this.#disconnect();
    this.#connect();
    const { row } = this.get("probe");
    if (row?.text !== JSON.stringify(token)) throw new Error("what was written could not be read back");
    return aside;
  }

  /**
   * Makes second copies anew that have gone bad, `limit` rows at a time.
   * @returns the id to go on after, or null at the end; and how many were made anew
   */
  scrub(after: number, limit: number): { next: number | null; healed: number } {
    const select = `SELECT ${READ} FROM entries WHERE id > ? ORDER BY id LIMIT ?`;
    const rows = this.#all(select, [after, limit]);
    const healed: Write[] = [];
    for (const { id, key, stamp, text } of rows) {
      const row = readRow(key, stamp, text);
      const [copy] = this.#all(`SELECT ${READ} FROM copies WHERE id = ?`, [id as number]);
      const second = copy === undefined ? null : readRow(copy.key, copy.stamp, copy.text);
      if (row !== null && second?.version !== row.version) healed.push([row.key, row.text]);
      if (row === null && second !== null) healed.push([second.key, second.text]);
    }
    if (healed.length > 0) this.write(healed);
    return { next: rows.length < limit ? null : (rows.at(-1)!.id as number), healed: healed.length };
  }

  /** Every key, for what is not found by its prefix. */
  keys(prefix: string): string[] {
    const end = Buffer.concat([Buffer.from(prefix), Buffer.of(0xff)]);
    const select = "SELECT CAST(key AS BLOB) AS key FROM entries WHERE key >= ? AND key < ? ORDER BY key";
    return this.#all(select, [Buffer.from(prefix), end]).map(({ key }) =>
      Buffer.from(key as Uint8Array).toString(),
    );
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
      this.#writeOne(TALLY, this.#tally());
      this.#run("COMMIT");
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  close(): void {
    this.#disconnect();
  }

  #tally(): string {
    const isFirst = this.#all("SELECT id FROM entries WHERE key = ?", [Buffer.from(TALLY)]).length === 0;
    return JSON.stringify({ rows: this.#rows + (isFirst ? 1 : 0) });
  }

  #writeOne(key: string, text: string | null, version = this.#version): void {
    const keyBytes = Buffer.from(key);
    if (text === null) {
      const [gone] = this.#all("DELETE FROM entries WHERE key = ? RETURNING id", [keyBytes]);
      if (gone === undefined) return;
      this.#run("DELETE FROM copies WHERE id = ?", [gone.id as number]);
      this.#rows--;
      return;
    }
    const textBytes = Buffer.from(text);
    const stamp = stampOf(keyBytes, version, textBytes);
    const [known] = this.#all("SELECT id FROM entries WHERE key = ?", [keyBytes]);
    if (known === undefined) {
      const [made] = this.#all("INSERT INTO entries(key, stamp, text) VALUES (?, ?, ?) RETURNING id", [
        keyBytes,
        stamp,
        textBytes,
      ]);
      this.#run("INSERT OR REPLACE INTO copies(id, key, stamp, text) VALUES (?, ?, ?, ?)", [
        made!.id as number,
        keyBytes,
        stamp,
        textBytes,
      ]);
      this.#rows++;
      return;
    }
    const id = known.id as number;
    this.#run("UPDATE entries SET stamp = ?, text = ? WHERE id = ?", [stamp, textBytes, id]);
    this.#run("INSERT OR REPLACE INTO copies(id, key, stamp, text) VALUES (?, ?, ?, ?)", [
      id,
      keyBytes,
      stamp,
      textBytes,
    ]);
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
    const aside = existsSync(path) ? `${path}.replaced-${Date.now()}` : null;
    if (aside !== null) renameSync(path, aside);
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
      connection.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA page_size = ${PAGE_BYTES};
        PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = PERSIST; PRAGMA synchronous = FULL;
        PRAGMA secure_delete = ON; PRAGMA journal_size_limit = ${JOURNAL_BYTES}; PRAGMA temp_store = MEMORY;
        PRAGMA max_page_count = ${Math.max(Math.floor(this.maxBytes / PAGE_BYTES), LEAST_PAGES)}; BEGIN IMMEDIATE; COMMIT`);
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
