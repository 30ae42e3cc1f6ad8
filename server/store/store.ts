import { accessSync, constants, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../log.js";
import type { Aside } from "./aside.js";
import type { Found, Write } from "./database.js";
import { makeFolder, reasonOf } from "./folder.js";
import { FolderLock } from "./lock.js";
import { LOST, lostInWords, type Salvage, SUSPECT } from "./salvage.js";
import { readClockMark, SteadyClock } from "./steady-clock.js";
import { FolderInUse, RecordDamaged, StoreError, StoreUnreadable, StoreUnwritable } from "./store-error.js";
import type { Tasks } from "./store-thread.js";
import { Thread } from "./thread.js";

export type { Write };
export { RecordDamaged, StoreError };

/** The database's name in its folder. */
export const DATABASE = "jobs.sqlite";
const CLOCK = "clock";
/** Keys of the store's own rows. */
export const OWN_KEYS = [CLOCK, "probe", SUSPECT];
const PAGE_ROWS = 500;
const PAGE_KEYS = 2000;
/** With fewer free blocks, a transaction's journal may have no room. */
const LEAST_FREE_BLOCKS = 16;
/** Pauses between two tries to write again, in milliseconds. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;
/** How many records the scrub reads at once, and the pause between two times, in milliseconds. */
const SCRUB_ROWS = 100;
const SCRUB_PAUSE_MS = 50;
/** Lost records that the log names one by one. */
const MOST_NAMED = 1000;

export interface StoreOptions {
  /** The file never grows beyond. Default: 1 GiB */
  maxBytes?: number;
  log?: Pick<Log, "error" | "warn" | "info">;
}

const silent = { error: () => {}, warn: () => {}, info: () => {} };

interface Group {
  writes: readonly Write[];
  resolve: () => void;
  reject: (error: unknown) => void;
}

/**
 * JSON texts by key, in an SQLite file that is not trusted: each text is stored twice with a checksum, a text that is not
 * what was written is never returned, and after a failed write nothing is accepted until one has been read back.
 */
export class Store {
  readonly #location: string;
  readonly #maxBytes: number;
  readonly #log: NonNullable<StoreOptions["log"]>;
  readonly #onWritable: (() => void)[] = [];
  readonly #named = new Set<string>();
  #clock = new SteadyClock(null);
  #lock: FolderLock;
  #thread: Thread;
  #pending: Group[] = [];
  /** Keys of records whose removal the disk did not take. */
  readonly #toRemove = new Set<string>();
  #writing: Promise<void> | null = null;
  /** Why the last write failed, if none has succeeded since. */
  #failure: string | null = null;
  #probing: NodeJS.Timeout | null = null;
  #scrubbing: NodeJS.Timeout | null = null;
  #closed = false;

  private constructor(location: string, lock: FolderLock, options: StoreOptions) {
    this.#location = location;
    this.#lock = lock;
    this.#maxBytes = options.maxBytes ?? 1024 ** 3;
    this.#log = options.log ?? silent;
    this.#thread = this.#startThread();
  }

  /** Opens the store in a folder; makes both if they are missing. @throws StoreError */
  static async open(folder: string, options: StoreOptions = {}): Promise<Store> {
    const location = join(folder, "jobs");
    const refuse = (reason: string) => new StoreError(`cannot keep jobs in ${folder}: ${reason}`);
    try {
      makeFolder(location);
      accessSync(location, constants.R_OK | constants.W_OK | constants.X_OK);
    } catch (error) {
      throw refuse(`${reasonOf(error as NodeJS.ErrnoException)}; JAI_DATA_DIR names another folder`);
    }
    const lock = await FolderLock.take(location, join(location, DATABASE)).catch((error: Error) => {
      if (error.message === "another server uses it") throw new FolderInUse(folder);
      if (isFull(location)) throw refuse(`no space is left on the disk of ${location}`);
      throw refuse(`${location} is damaged or not a store (${error.message})`);
    });
    const store = new Store(location, lock, options);
    try {
      await store.#open();
      store.#scrubAfter("", 0);
      return store;
    } catch (error) {
      await store.#thread.end();
      await lock.end();
      throw refuse(firstLine(error));
    }
  }

  /** Whether the last write succeeded. If not, new work must be refused: what it promises could be lost. */
  get isWritable(): boolean {
    return this.#failure === null;
  }

  /** By this clock records expire: milliseconds since 1970, without the jumps of the system's clock. */
  get now(): () => number {
    return this.#clock.now;
  }

  /** Calls back when the disk takes writes again. */
  onWritable(callback: () => void): void {
    this.#onWritable.push(callback);
  }

  /** @throws RecordDamaged */
  async get<T>(key: string): Promise<T | undefined> {
    const found = await this.#ask("get", key);
    const text = this.#textOf(found);
    // If this fails, the scrub of the next start tries again.
    if (found.healed && !this.#closed) void this.#thread.ask("heal", key).catch(() => {});
    const value = text === null ? undefined : this.#valueOf<T>(key, text);
    // A failed write that could not be rolled back hides what the next start finds again.
    if (value === undefined && this.#failure !== null)
      throw new StoreUnreadable(`the store cannot be read (${this.#failure})`);
    if (found.damaged !== null || (text !== null && value === undefined))
      throw new RecordDamaged(`the stored record ${key} is damaged`);
    return value;
  }

  /** All values whose keys begin with `prefix`, in the order of their keys, without those that are damaged. */
  async *entries<T>(prefix: string): AsyncGenerator<[key: string, value: T]> {
    const pageAfter = (key: string) => this.#ask("page", prefix, key, PAGE_ROWS);
    for (let next: Promise<Found[]> | null = pageAfter(""); next !== null; ) {
      const page: Found[] = await next;
      const last = page.at(-1);
      // Asked for already here: the store's thread reads it while this page is used.
      next = page.length < PAGE_ROWS ? null : pageAfter(last!.row?.key ?? last!.damaged!);
      next?.catch(() => {});
      for (const found of page) {
        const text = this.#textOf(found);
        const value = text === null ? undefined : this.#valueOf<T>(found.row!.key, text);
        if (value !== undefined) yield [found.row!.key, value];
      }
    }
  }

  /** All keys with a prefix, in their order. @throws StoreError */
  async keys(prefix: string): Promise<string[]> {
    const keys: string[] = [];
    for (;;) {
      const page = await this.#ask("keys", prefix, keys.at(-1) ?? "", PAGE_KEYS);
      for (const key of page) keys.push(key);
      if (page.length < PAGE_KEYS) return keys;
    }
  }

  /** Keys of records that a damaged file has lost, until they are written or deleted with `forgetLost`. */
  async lost(prefix: string): Promise<string[]> {
    return (await this.keys(LOST + prefix)).map((key) => key.slice(LOST.length));
  }

  /** The write after which a lost record is not named any more. */
  forgetLost(key: string): Write {
    return [LOST + key, null];
  }

  /**
   * Resolves when all changes are on disk; if it rejects, none counts. Calls take effect in order. Those that come while
   * the disk is busy are written together.
   */
  write(writes: readonly Write[]): Promise<void> {
    if (this.#closed) return Promise.reject(new StoreError("the store is closed"));
    if (this.#failure !== null) return Promise.reject(new StoreUnwritable(this.#failure));
    return new Promise((resolve, reject) => {
      this.#pending.push({ writes, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  /** Removes records. If the disk does not take it, this rejects, and is made as soon as the disk takes writes again. */
  async remove(keys: readonly string[]): Promise<void> {
    try {
      await this.write(keys.map((key) => [key, null]));
    } catch (error) {
      for (const key of keys) this.#toRemove.add(key);
      throw error;
    }
  }

  /** Closes the store after all pending writes. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#probing !== null) clearTimeout(this.#probing);
    if (this.#scrubbing !== null) clearTimeout(this.#scrubbing);
    await this.#writing;
    await this.#thread.ask("close").catch(() => {});
    await this.#thread.end();
    await this.#lock.end();
  }

  async #open(): Promise<void> {
    const wasMade = this.#lock.isMade;
    const { missing, isOld } = this.#lock;
    if (missing !== null)
      this.#log.warn(`${this.#location} cannot be locked against a second server (${missing})`);
    const size = statSync(join(this.#location, DATABASE), { throwIfNoEntry: false })?.size ?? 0;
    if (wasMade && size === 0)
      this.#log.error(`${join(this.#location, DATABASE)} is empty or gone: whatever was kept there is lost`);
    if (isOld) this.#lock.begin();
    const salvage = await this.#thread.ask("open");
    if (salvage !== null) this.#tell(salvage);
    if (isOld) await this.#takeOver();
    if (!wasMade) await this.#finishLock(isOld || size === 0);
    const mark = await this.get(CLOCK).catch(() => undefined);
    this.#clock = new SteadyClock(readClockMark(mark));
  }

  async #finishLock(isNeeded: boolean): Promise<void> {
    try {
      await this.#lock.finish();
    } catch (error) {
      if (isNeeded) throw error;
      // The lock is held, and the records are in the SQLite file: a start on a full disk goes on.
      this.#log.warn(`${this.#location}: the lock cannot be written (${firstLine(error)})`);
    }
  }

  /** Copies the texts of an earlier version, once. If this is interrupted, the next start begins it again. */
  async #takeOver(): Promise<void> {
    let count = 0;
    let batch: Write[] = [];
    for await (const write of this.#lock.oldTexts()) {
      batch.push(write);
      count++;
      if (batch.length < PAGE_ROWS) continue;
      await this.#thread.ask("write", batch);
      batch = [];
    }
    await this.#thread.ask("write", batch);
    this.#log.info(
      `the ${count} records of an earlier version were taken over into ${join(this.#location, DATABASE)}`,
    );
  }

  #tell({ reason, aside, saved, lost, unnamed, removed }: Salvage): void {
    this.#log.error(
      `the store was damaged (${reason}): ${saved} records are kept, ${lostInWords(lost, unnamed)}; ` +
        `the damaged file is now ${aside}, and jai data export reads what is left in it`,
    );
    for (const key of lost.slice(0, MOST_NAMED)) this.#log.error(`lost from the store: ${key}`);
    if (lost.length > MOST_NAMED)
      this.#log.error(`lost from the store: ${lost.length - MOST_NAMED} more; jai data check names them`);
    this.#tellRemoved(removed);
  }

  #tellRemoved(removed: readonly Aside[]): void {
    for (const { path, bytes } of removed)
      this.#log.warn(
        `removed ${path} (${bytes} bytes): of the files that were moved aside the newest two are kept`,
      );
  }

  #startThread(): Thread {
    return new Thread({ path: join(this.#location, DATABASE), maxBytes: this.#maxBytes });
  }

  async #ask<Name extends "get" | "keys" | "page">(
    task: Name,
    ...values: Parameters<Tasks[Name]>
  ): Promise<ReturnType<Tasks[Name]>> {
    try {
      return await this.#thread.ask(task, ...values);
    } catch (error) {
      throw new StoreUnreadable(`the store cannot be read (${firstLine(error)})`);
    }
  }

  #textOf({ row, damaged, healed }: Found): string | null {
    const key = damaged ?? row?.key ?? "";
    if ((damaged !== null || healed) && !this.#named.has(key)) {
      this.#named.add(key);
      if (damaged !== null)
        this.#log.error(`the stored record ${key} is damaged, and so is its copy: it is lost`);
      else this.#log.warn(`the stored record ${key} is damaged; its copy is used`);
    }
    return row?.text ?? null;
  }

  /** The value of a text, or undefined if somebody else has written what is no JSON. */
  #valueOf<T>(key: string, text: string): T | undefined {
    try {
      return JSON.parse(text) as T;
    } catch {
      this.#log.error(`the stored record ${key} is no JSON: it is lost`);
      return undefined;
    }
  }

  async #writeAll(): Promise<void> {
    // Wait, so that other writes of this turn of the event loop join the group.
    await Promise.resolve();
    while (this.#pending.length > 0) {
      const group = this.#pending;
      this.#pending = [];
      try {
        if (this.#failure !== null) throw new Error(this.#failure);
        await this.#thread.ask("write", [
          ...group.flatMap(({ writes }) => writes),
          [CLOCK, JSON.stringify(this.#clock.mark())],
        ]);
        for (const { resolve } of group) resolve();
      } catch (error) {
        this.#failed(firstLine(error));
        for (const { reject } of group) reject(new StoreUnwritable(this.#failure!));
      }
    }
    this.#writing = null;
  }

  #failed(said: string): void {
    if (this.#failure !== null) return;
    const reason = isFull(this.#location) ? `no space is left on the disk: ${said}` : said;
    this.#failure = reason;
    this.#log.error(
      `the store cannot be written (${reason}): no jobs and no requests with an Idempotency-Key are accepted until it can`,
    );
    this.#probeAfter(FIRST_PAUSE_MS);
  }

  /** After the start, reads both copies of all records little by little: the start itself reads only small ones. */
  #scrubAfter(key: string, healedBefore: number): void {
    if (this.#closed) return;
    this.#scrubbing = setTimeout(async () => {
      try {
        const { next, healed, damaged } = await this.#thread.ask("scrub", key, SCRUB_ROWS);
        for (const key of damaged) this.#textOf({ row: null, damaged: key, healed: false });
        if (next !== null) return this.#scrubAfter(next, healedBefore + healed);
        const sum = healedBefore + healed;
        if (sum > 0) this.#log.warn(`the store: of ${sum} records one copy was damaged, and was made anew`);
      } catch (error) {
        if (this.#closed) return;
        this.#log.warn(`the store is damaged (${firstLine(error)}); the next start repairs it`);
        await this.write([[SUSPECT, "true"]]).catch(() => {});
      }
    }, SCRUB_PAUSE_MS).unref();
  }

  #probeAfter(ms: number): void {
    if (this.#closed) return;
    this.#probing = setTimeout(() => {
      this.#probing = null;
      void this.#probe(Math.min(ms * 2, LONGEST_PAUSE_MS));
    }, ms).unref();
  }

  async #probe(nextPause: number): Promise<void> {
    try {
      await this.#lockAgain();
      const { aside, removed, salvage } = await this.#thread.ask("probe", `${process.pid} ${Date.now()}`);
      if (salvage !== null) this.#tell(salvage);
      if (aside !== null) this.#log.error(`a file that was put in the store's place is now ${aside}`);
      this.#tellRemoved(removed);
    } catch {
      return this.#probeAfter(nextPause);
    }
    if (this.#closed) return;
    this.#failure = null;
    this.#log.warn("the store can be written again");
    // Before anything else is written: a key may be used again.
    const keys = [...this.#toRemove];
    this.#toRemove.clear();
    if (keys.length > 0) void this.remove(keys).catch(() => {});
    for (const callback of this.#onWritable) callback();
  }

  /** Takes the lock in a folder that was made anew, and starts a thread that has died. @throws if it can't */
  async #lockAgain(): Promise<void> {
    makeFolder(this.#location);
    if (!this.#lock.isAt(this.#location)) {
      await this.#lock.end();
      this.#lock = await FolderLock.take(this.#location, join(this.#location, DATABASE));
      if (this.#lock.isOld) throw new Error("a store of an earlier version was put there");
      await this.#lock.finish();
    }
    if (this.#thread.hasEnded) this.#thread = this.#startThread();
  }
}

/** SQLite says only "disk I/O error" of a full disk. */
function isFull(folder: string): boolean {
  try {
    return statfsSync(folder).bavail < LEAST_FREE_BLOCKS;
  } catch {
    return false;
  }
}

const firstLine = (error: unknown) => String((error as Error).message).split("\n", 1)[0]!;
