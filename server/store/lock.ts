import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ClassicLevel } from "classic-level";
import { flush } from "./database.js";
import { StoreError } from "./store-error.js";

const FORMAT_KEY = "format";
/** Texts in the LevelDB itself: what this server kept before it used SQLite. */
const OLD_FORMAT = "jai-server jobs 1";
/** An empty LevelDB beside an SQLite file. Earlier versions refuse it, so that they don't begin anew beside the file. */
const FORMAT = "jai-server jobs 2";

/** Is there from the beginning of a take-over to its end: until then the SQLite file does not have all texts. */
const UNFINISHED = "jobs.sqlite-unfinished";

/**
 * Keeps a second server out of a folder. Node has no file locks, so this is the lock of the LevelDB that earlier versions
 * kept jobs in: the system ends it with the process, and it keeps those versions out too.
 */
export class FolderLock {
  readonly #level: ClassicLevel<string, string> | null;
  readonly #file: string;

  private constructor(
    level: ClassicLevel<string, string> | null,
    /** Whether a store of an earlier version is still to be taken over. */
    readonly isOld: boolean,
    /** Whether a store was made here before. */
    readonly isMade: boolean,
    /** Why there is no lock, though the folder can be used; null if there is one. */
    readonly missing: string | null,
  ) {
    this.#level = level;
    this.#file = level === null ? "" : lockFileIn(level.location);
  }

  /**
   * @param database path of the SQLite file
   * @throws StoreError if another server has the lock, or an earlier version's store is damaged
   */
  static async take(location: string, database: string): Promise<FolderLock> {
    const unfinished = join(location, UNFINISHED);
    try {
      const lock = await open(location);
      if (lock.isMade) rmSync(unfinished, { force: true });
      return lock;
    } catch (error) {
      if (error instanceof Locked || !existsSync(database) || existsSync(unfinished)) throw error;
      // The texts are in the SQLite file: nothing but a lock is lost with this.
      for (const name of levelFiles(location)) rmSync(join(location, name), { force: true });
    }
    try {
      const made = await open(location);
      // A full disk takes no write, but the lock is held all the same.
      await made.finish().catch(() => {});
      return made;
    } catch (error) {
      if (error instanceof Locked) throw error;
      return new FolderLock(null, false, true, (error as Error).message);
    }
  }

  /** @internal */
  static of(level: ClassicLevel<string, string>, isOld: boolean, isMade: boolean): FolderLock {
    return new FolderLock(level, isOld, isMade, null);
  }

  /** Call it before any text of an earlier version is copied. From now on nothing but `finish` gives the originals up. */
  begin(): void {
    const { location } = this.#level!;
    writeFileSync(join(location, UNFINISHED), "");
    flush(location);
  }

  /** The texts of an earlier version. */
  async *oldTexts(): AsyncGenerator<[key: string, text: string]> {
    for await (const [key, text] of this.#level!.iterator()) if (key !== FORMAT_KEY) yield [key, text];
  }

  /** From now on the texts are in the SQLite file alone. */
  async finish(): Promise<void> {
    await this.#level?.put(FORMAT_KEY, FORMAT, { sync: true });
    await this.#level?.clear({ gt: FORMAT_KEY });
    await this.#level?.clear({ lt: FORMAT_KEY });
    // Otherwise the texts stay in the files until LevelDB happens to tidy up.
    await this.#level?.compactRange("", "\uffff");
    if (this.#level !== null) rmSync(join(this.#level.location, UNFINISHED), { force: true });
  }

  /** Whether this is the lock that a second server would find in the folder. */
  isAt(location: string): boolean {
    return this.#level !== null && lockFileIn(location) === this.#file;
  }

  async end(): Promise<void> {
    await this.#level?.close();
  }
}

/** Another process has the lock. */
class Locked extends StoreError {}

async function open(location: string): Promise<FolderLock> {
  const { ClassicLevel } = await import("classic-level");
  const isEmpty = levelFiles(location).length === 0;
  const strangers = readdirSync(location).filter((name) => !isOurs(name));
  if (isEmpty && strangers.length > 0) throw new StoreError(`it has other files (${strangers[0]})`);
  const level = new ClassicLevel<string, string>(location, { createIfMissing: isEmpty });
  try {
    await level.open();
  } catch (error) {
    const cause = ((error as Error).cause ?? error) as { code?: string; message: string };
    if (cause.code === "LEVEL_LOCKED") throw new Locked("another server uses it");
    throw new StoreError(firstLine(cause));
  }
  try {
    // No keys at all: a new store, or a first start that was killed right here.
    const isNew = (await level.keys({ limit: 1 }).all()).length === 0;
    const format = await level.get(FORMAT_KEY);
    if (!isNew && format !== OLD_FORMAT && format !== FORMAT)
      throw new StoreError(`expected ${FORMAT}, got ${format ?? "no format"}`);
    return FolderLock.of(level, format === OLD_FORMAT, format === FORMAT);
  } catch (error) {
    await level.close();
    throw error instanceof StoreError ? error : new StoreError(firstLine(error as Error));
  }
}

function lockFileIn(location: string): string {
  const stats = statSync(join(location, "LOCK"), { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? "gone" : `${stats.dev}/${stats.ino}`;
}

const isLevel = (name: string) =>
  /^(CURRENT|LOCK|LOG(\.old)?|MANIFEST-\d+|\d+\.(log|ldb|sst|dbtmp))$/.test(name);
const isOurs = (name: string) => isLevel(name) || name.startsWith("jobs.sqlite") || name === "copied-from";
const levelFiles = (location: string) => readdirSync(location).filter(isLevel);

const firstLine = ({ message }: { message: string }) => message.split("\n", 1)[0]!;
