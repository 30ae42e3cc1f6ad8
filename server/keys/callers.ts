import { timingSafeEqual } from "node:crypto";
import { PRIORITIES } from "../queue/lanes.js";
import { hashKey, type Key, unlimited } from "../settings/key.js";
import { Caller } from "./caller.js";
import type { Now } from "./quota.js";

/** All callers. */
export class Callers {
  /** The caller of every request if no keys are set. It has no limits. */
  readonly anonymous: Caller;
  /** Null if no keys are set: everybody gets in. An empty list lets nobody in. */
  #entries: { hash: Buffer; caller: Caller }[] | null = null;
  #byName = new Map<string, Caller>();

  constructor(
    keys: readonly Key[] | null,
    private readonly clock: Now = Date.now,
  ) {
    // Without keys all requests are equal, so each may ask for any priority.
    this.anonymous = new Caller({ name: "anonymous", priority: 0, limits: unlimited }, clock, PRIORITIES.max);
    if (keys !== null) this.replace(keys);
  }

  /** Whether keys are set, which tell callers apart. */
  get keyed(): boolean {
    return this.#entries !== null;
  }

  /** Whether there is more than one caller, so that each may have only a share of what all need. */
  get several(): boolean {
    return this.#byName.size > 1;
  }

  /** Replaces all keys. A name that stays keeps its usage, even if its key is new. */
  replace(keys: readonly Key[]): void {
    const before = this.#byName;
    this.#entries = keys.map(({ hash, ...key }) => {
      const caller = before.get(key.name) ?? new Caller(key, this.clock);
      caller.revise(key);
      return { hash, caller };
    });
    this.#byName = new Map(this.#entries.map(({ caller }) => [caller.name, caller]));
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
