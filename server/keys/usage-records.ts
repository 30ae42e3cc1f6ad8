import type { Log } from "../log.js";
import { NOBODY, type Space, sizeOf } from "../store/space.js";
import type { Store, Write } from "../store/store.js";
import type { Caller } from "./caller.js";
import type { Callers } from "./callers.js";
import { DAYS, dateOf } from "./ledger.js";
import { readSavedUsage } from "./saved-usage.js";

export interface UsageRecordsOptions {
  store: Store;
  space: Space;
  callers: Callers;
  log: Pick<Log, "warn">;
  /** Milliseconds by a clock that does not jump. Default: the store's */
  now?: () => number;
}

const PREFIX = "usage/";
/** Interval of the writes. Each waits for the disk, so an interval's changes go together. A `kill -9` loses one interval. */
const SAVE_MS = 1000;
const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Keeps the callers' usage in the store, one record for each name, so that a restart resets no limit. While the store can't
 * be written, counting goes on in memory.
 */
export class UsageRecords {
  readonly #options: UsageRecordsOptions;
  readonly #now: () => number;
  /** By name: how many of the ledger's changes are on disk, and the bytes of the record. */
  readonly #saved = new Map<string, { changes: number; bytes: number }>();
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> | null = null;
  /** The day of the last search for outdated records. */
  #today = "";

  private constructor(options: UsageRecordsOptions) {
    this.#options = options;
    this.#now = options.now ?? options.store.now;
  }

  /** Gives the callers what an earlier process counted. @throws StoreError if the store can't be read at all */
  static async open(options: UsageRecordsOptions): Promise<UsageRecords> {
    const { store, space, callers, log } = options;
    const lost = new Set(await store.keys(PREFIX));
    const records = new UsageRecords(options);
    for await (const [key, value] of store.entries<unknown>(PREFIX)) {
      const usage = readSavedUsage(value);
      if (usage === null) continue;
      lost.delete(key);
      const name = key.slice(PREFIX.length);
      callers.recall(name, usage);
      const bytes = sizeOf(JSON.stringify(value));
      space.take(NOBODY, bytes);
      records.#saved.set(name, { changes: 0, bytes });
    }
    const named = await store.lost(PREFIX);
    for (const key of new Set([...lost, ...named]))
      log.warn(`the stored usage of ${key.slice(PREFIX.length)} is damaged: it is counted anew`);
    const writes = [
      ...[...lost].map((key) => [key, null] as const),
      ...named.map((key) => store.forgetLost(key)),
    ];
    // If the disk does not take this, the next start warns again.
    if (writes.length > 0) await store.write(writes).catch(() => {});
    records.#timer = setInterval(() => void records.save(), SAVE_MS).unref();
    return records;
  }

  /** Writes what has changed, if anything has. Resolves in any case: what the disk did not take is written later. */
  save(): Promise<void> {
    this.#saving ??= this.#saveChanges().finally(() => {
      this.#saving = null;
    });
    return this.#saving;
  }

  /** Writes the last changes. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#saving;
    await this.save();
  }

  async #saveChanges(): Promise<void> {
    const { store, space, callers } = this.#options;
    const outdated = this.#outdated();
    const changed = [...callers.known()].filter(
      ({ name, ledger }) => ledger.changes !== (this.#saved.get(name)?.changes ?? 0),
    );
    if (changed.length + outdated.length === 0) return;
    const rows = changed.map((caller) => {
      const text = JSON.stringify(caller.usage);
      return { name: caller.name, changes: caller.ledger.changes, text, bytes: sizeOf(text) };
    });
    const writes: Write[] = [
      ...rows.map(({ name, text }) => [PREFIX + name, text] as const),
      ...outdated.map(({ name }) => [PREFIX + name, null] as const),
    ];
    try {
      await store.write(writes);
    } catch {
      // The store has logged it, and these still count as changed.
      this.#today = "";
      return;
    }
    for (const { name, changes, bytes } of rows) {
      space.take(NOBODY, bytes - (this.#saved.get(name)?.bytes ?? 0));
      this.#saved.set(name, { changes, bytes });
    }
    for (const { name } of outdated) {
      space.give(NOBODY, this.#saved.get(name)?.bytes ?? 0);
      this.#saved.delete(name);
      callers.forget(name);
    }
  }

  /** Once a day: callers without a key whose last day of usage is older than the days that are kept. */
  #outdated(): Caller[] {
    const { callers } = this.#options;
    const today = dateOf(this.#now());
    if (today === this.#today) return [];
    this.#today = today;
    const first = dateOf(this.#now() - DAYS * DAY_MS);
    return [...callers.known()].filter(
      ({ name, ledger }) => callers.named(name) === null && ledger.lastDay < first,
    );
  }
}
