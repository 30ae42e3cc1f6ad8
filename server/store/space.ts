import { Holdings, shareOf } from "../shares.js";

/** Why nothing new is accepted: the store is full, or the caller's share of it. */
export type Fullness = "store_full" | "caller_store_full";

/** Stands for a caller where bytes belong to none. No caller has an empty name. */
export const NOBODY = "";

/** For how long a caller's next expiry is remembered, at least, in milliseconds: finding it goes through all its records. */
const FRESH_MS = 1000;

/**
 * Counts the used bytes of the store, for each caller and in sum. Records that exist may outgrow the limit or a share;
 * then nothing new is accepted.
 */
export class Space {
  readonly #several: () => boolean;
  readonly #now: () => number;
  readonly #held = new Holdings();
  readonly #expiries: ((caller: string) => number)[] = [];
  /** By caller: when the first of its records expires, and until when that answer is used. */
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
    return this.#held.sum;
  }

  /** Why nothing new of a caller is accepted, or null. */
  fullness(caller: string): Fullness | null {
    if (this.used >= this.limit) return "store_full";
    return this.#held.of(caller) >= shareOf(this.limit, this.#several()) ? "caller_store_full" : null;
  }

  take(caller: string, bytes: number): void {
    this.#held.take(caller, bytes);
  }

  give(caller: string, bytes: number): void {
    this.#held.give(caller, bytes);
    if (this.#held.of(caller) === 0) this.#firsts.delete(caller);
  }

  /**
   * Registers a kind of records, for `retryAfter`.
   * @param expiry returns the milliseconds until the first of a caller's records expires; infinity if it has none
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
