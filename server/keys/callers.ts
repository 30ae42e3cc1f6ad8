import { timingSafeEqual } from "node:crypto";
import { PRIORITIES } from "../queue/lanes.js";
import { hashKey, type Key, unlimited } from "../settings/key.js";
import { Caller } from "./caller.js";
import type { Now } from "./quota.js";

/** All callers. */
export class Callers {
  /** The caller of every request where no keys are set; it has no limits. */
  readonly anonymous: Caller;
  /** Null: there are no keys. An empty list is another thing: it lets nobody in. */
  #entries: { hash: Buffer; caller: Caller }[] | null = null;
  #byName = new Map<string, Caller>();

  constructor(
    keys: readonly Key[] | null,
    private readonly clock: Now = Date.now,
  ) {
    // Without keys nobody's class stands above another's, so anybody may ask for any.
    this.anonymous = new Caller({ name: "anonymous", priority: 0, limits: unlimited }, clock, PRIORITIES.max);
    if (keys !== null) this.replace(keys);
  }

  /** Whether callers have keys, and so are told apart. */
  get keyed(): boolean {
    return this.#entries !== null;
  }

  /** Takes other keys in place of all before. A name that stays keeps what it has used, whatever its key is now. */
  replace(keys: readonly Key[]): void {
    const before = this.#byName;
    this.#entries = keys.map(({ hash, ...key }) => {
      const caller = before.get(key.name) ?? new Caller(key, this.clock);
      caller.revise(key);
      return { hash, caller };
    });
    this.#byName = new Map(this.#entries.map(({ caller }) => [caller.name, caller]));
  }

  /** The caller with this key; null if there is none. Takes the same time for every text of a length. */
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

  /** The caller of this name, for work that outlives its request; null when the key is gone. */
  named(name: string): Caller | null {
    if (this.#entries === null) return name === this.anonymous.name ? this.anonymous : null;
    return this.#byName.get(name) ?? null;
  }
}
