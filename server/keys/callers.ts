import { timingSafeEqual } from "node:crypto";
import { EventEmitter } from "node:events";
import { PRIORITIES } from "../queue/lanes.js";
import { hashKey, type Key, unlimited } from "../settings/key.js";
import { Caller } from "./caller.js";
import type { Now } from "./quota.js";
import type { SavedUsage } from "./saved-usage.js";

interface CallersEvents {
  /** Other keys are valid from now on. */
  replaced: [];
}

/** All callers. */
export class Callers extends EventEmitter<CallersEvents> {
  /** The caller of every request if no keys are set. It has no limits. */
  readonly anonymous: Caller;
  /** Null if no keys are set: everybody gets in. An empty list lets nobody in. */
  #entries: { hash: Buffer; caller: Caller }[] | null = null;
  #byName = new Map<string, Caller>();
  /** Callers of all names that have or had a key: a name that comes back goes on with its counts. */
  readonly #known = new Map<string, Caller>();

  constructor(
    keys: readonly Key[] | null,
    private readonly clock: Now = Date.now,
  ) {
    super();
    // Without keys all requests are equal, so each may ask for any priority.
    this.anonymous = new Caller({ name: "anonymous", priority: 0, limits: unlimited }, clock, PRIORITIES.max);
    if (keys !== null) this.replace(keys);
  }

  /** Whether keys are set, which tell callers apart. */
  get keyed(): boolean {
    return this.#entries !== null;
  }

  /** Whether there is more than one caller. Then each may have only a share of what all need. */
  get several(): boolean {
    return this.#byName.size > 1;
  }

  /** Replaces all keys. A name that stays or comes back keeps its usage, even if its key is new. */
  replace(keys: readonly Key[]): void {
    this.#entries = keys.map(({ hash, ...key }) => {
      const caller = this.#known.get(key.name) ?? new Caller(key, this.clock);
      caller.revise(key);
      this.#known.set(key.name, caller);
      return { hash, caller };
    });
    this.#byName = new Map(this.#entries.map(({ caller }) => [caller.name, caller]));
    this.emit("replaced");
  }

  /** Goes on with what an earlier process counted for a name. Call it before any caller does anything. */
  recall(name: string, usage: SavedUsage): void {
    const isAnonymous = this.#entries === null && name === this.anonymous.name;
    const known = isAnonymous ? this.anonymous : this.#known.get(name);
    const caller = known ?? new Caller({ name, priority: 0, limits: unlimited }, this.clock);
    if (known === undefined) this.#known.set(name, caller);
    caller.recall(usage);
  }

  /** Every caller whose usage is kept, those without a key too. */
  *known(): Generator<Caller> {
    if (this.#entries === null) yield this.anonymous;
    yield* this.#known.values();
  }

  /** Drops the usage of a caller that has no key any more. */
  forget(name: string): void {
    if (this.named(name) === null) this.#known.delete(name);
  }

  /** The caller with this key, or null. The time depends only on the text's length. */
  identify(key: string | undefined): Caller | null {
    if (this.#entries === null) return this.anonymous;
    if (key === undefined) return null;
    const presented = hashKey(key);
    let found: Caller | null = null;
    // Never stop early: timing must not reveal the position.
    for (const { hash, caller } of this.#entries) {
      if (timingSafeEqual(hash, presented)) found = caller;
    }
    return found;
  }

  /** The caller with this name, for work that outlives its request; null if its key was removed. */
  named(name: string): Caller | null {
    if (this.#entries === null) return name === this.anonymous.name ? this.anonymous : null;
    return this.#byName.get(name) ?? null;
  }
}
