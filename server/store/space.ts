import { shareOf, Tally } from "../shares.js";

/** Why nothing new is accepted: the store is full, or the caller's share of it. */
export type Fullness = "store_full" | "caller_store_full";

/** Has the bytes that are no caller's: no caller's name is empty. */
export const NOBODY = "";

/** For so long, in milliseconds, a caller's next expiry is not looked up again. */
const FRESH_MS = 1000;

/**
 * Counts the used bytes of the store, and whose they are. Existing records may outgrow the limit or their caller's share,
 * but nothing new is accepted then.
 */
export class Space {
  readonly #several: () => boolean;
  readonly #now: () => number;
  readonly #tally = new Tally();
  readonly #expiries: ((caller: string) => number)[] = [];
  /** By caller, when the first of its records expires, and until when that is not looked up again. */
  readonly #firsts = new Map<string, { at: number; freshUntil: number }>();

  /**
   * @param several whether there are several callers; one may then have half of the bytes. Default: no
   * @param now a clock in milliseconds
   */
  constructor(
    readonly limit: number,
    several = () => false,
    now = () => performance.now(),
  ) {
    this.#several = several;
    this.#now = now;
  }

  get used(): number {
    return this.#tally.sum;
  }

  /** Why nothing new of a caller is accepted, or null. */
  fullness(caller: string): Fullness | null {
    if (this.used >= this.limit) return "store_full";
    return this.#tally.of(caller) >= shareOf(this.limit, this.#several()) ? "caller_store_full" : null;
  }

  take(caller: string, bytes: number): void {
    this.#tally.take(caller, bytes);
  }

  give(caller: string, bytes: number): void {
    this.#tally.give(caller, bytes);
    if (this.#tally.of(caller) === 0) this.#firsts.delete(caller);
  }

  /**
   * Adds records that expire.
   * @param expiry milliseconds until the first of a caller's records expires; infinite if it has none
   */
  addExpiries(expiry: (caller: string) => number): void {
    this.#expiries.push(expiry);
  }

  /** Until the first of a caller's records expires, in whole seconds, at least 1. */
  retryAfter(caller: string): number {
    const now = this.#now();
    let first = this.#firsts.get(caller);
    if (first === undefined || now >= first.freshUntil) {
      const at = now + Math.min(...this.#expiries.map((expiry) => expiry(caller)));
      first = { at, freshUntil: Math.max(at, now + FRESH_MS) };
      this.#firsts.set(caller, first);
    }
    const seconds = Math.ceil((first.at - now) / 1000);
    return Number.isFinite(seconds) ? Math.max(seconds, 1) : 1;
  }
}

/** Bytes of a record beside its texts: keys, the index in memory, the store's overhead. */
const OVERHEAD_BYTES = 1024;

export function sizeOf(...texts: string[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), OVERHEAD_BYTES);
}
