import { accessSync, constants, readdirSync } from "node:fs";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { makeFolder, reasonOf } from "./folder.js";

/** The data folder can't be used. The message is one line that can be shown to the user alone. */
export class StoreError extends Error {
  override name = "StoreError";
}

/** One change: a text to store under a key, or null to delete the key. */
export type Write = readonly [key: string, text: string | null];

const FORMAT_KEY = "format";
const FORMAT = "jai-server jobs 1";

/**
 * JSON texts by key, on disk. Why LevelDB, not a memory-mapped store: its checksums turn a damaged file into an error,
 * where a mapped one could kill the process with a bus error; its lock keeps a second process out; and one binary works
 * with every version of Node.
 */
export class Store {
  readonly #level: ClassicLevel<string, string>;
  #pending: { writes: readonly Write[]; resolve: () => void; reject: (error: unknown) => void }[] = [];
  #writing: Promise<void> | null = null;
  #closed = false;

  private constructor(level: ClassicLevel<string, string>) {
    this.#level = level;
  }

  /** Opens the store in a folder; makes both if they are missing. @throws StoreError */
  static async open(folder: string): Promise<Store> {
    const location = join(folder, "jobs");
    const refuse = (reason: string) => new StoreError(`cannot keep jobs in ${folder}: ${reason}`);
    let isEmpty: boolean;
    try {
      makeFolder(location);
      accessSync(location, constants.R_OK | constants.W_OK | constants.X_OK);
      isEmpty = readdirSync(location).length === 0;
    } catch (error) {
      throw refuse(`${reasonOf(error as NodeJS.ErrnoException)}; JAI_DATA_DIR names another folder`);
    }
    const level = new ClassicLevel<string, string>(location, { createIfMissing: isEmpty });
    const damaged = (cause: unknown) => refuse(`${location} is damaged or not a store (${firstLine(cause)})`);
    try {
      await level.open();
    } catch (error) {
      const cause = (error as Error).cause as { code?: string } | undefined;
      if (cause?.code !== "LEVEL_LOCKED") throw damaged(cause ?? error);
      throw refuse(
        "another server uses it; name another port (JAI_PORT), which has its own folder, or a folder (JAI_DATA_DIR)",
      );
    }
    try {
      // No keys at all: a new store, or a first start that was killed right here.
      const isNew = (await level.keys({ limit: 1 }).all()).length === 0;
      if (isNew) await level.put(FORMAT_KEY, FORMAT, { sync: true });
      const format = await level.get(FORMAT_KEY);
      if (format !== FORMAT) throw new Error(`expected ${FORMAT}, got ${format ?? "no format"}`);
    } catch (error) {
      await level.close();
      throw damaged(error);
    }
    return new Store(level);
  }

  async get<T>(key: string): Promise<T | undefined> {
    const text = await this.#level.get(key);
    return text === undefined ? undefined : (JSON.parse(text) as T);
  }

  /** All values whose keys begin with `prefix`, in the order of their keys. @throws StoreError for a damaged file */
  async *entries<T>(prefix: string): AsyncGenerator<[key: string, value: T]> {
    try {
      for await (const [key, text] of this.#level.iterator({ gte: prefix, lt: `${prefix}\uffff` }))
        yield [key, JSON.parse(text) as T];
    } catch (error) {
      throw new StoreError(`${this.#level.location} is damaged (${firstLine(error)})`);
    }
  }

  /**
   * Resolves when all changes are on disk; if it rejects, none is. Calls take effect in order. Those that come while
   * the disk is busy are written together.
   */
  write(writes: readonly Write[]): Promise<void> {
    if (this.#closed) return Promise.reject(new StoreError("the store is closed"));
    return new Promise((resolve, reject) => {
      this.#pending.push({ writes, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  /** Closes the store after all pending writes. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#writing;
    await this.#level.close();
  }

  async #writeAll(): Promise<void> {
    // Wait, so that other writes of this turn of the event loop join the batch.
    await Promise.resolve();
    while (this.#pending.length > 0) {
      const group = this.#pending;
      this.#pending = [];
      const operations = group.flatMap(({ writes }) =>
        writes.map(([key, value]) =>
          value === null ? { type: "del" as const, key } : { type: "put" as const, key, value },
        ),
      );
      try {
        await this.#level.batch(operations, { sync: true });
        for (const { resolve } of group) resolve();
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.#writing = null;
  }
}

const firstLine = (error: unknown) => String((error as Error).message).split("\n", 1)[0];
