import type { SavedBucket } from "./saved-usage.js";

/** Milliseconds since 1970. */
export type Now = () => number;

/** A limit on usage over time. The amount held for running requests is passed in by the caller. */
export interface Quota {
  readonly limit: number;
  readonly used: number;
  /** Milliseconds until there is room for `amount` beside the held amount; 0 if there is room now. */
  msUntilRoom(amount: number, held: number): number;
  /** Milliseconds until nothing counts as used. */
  readonly msUntilReset: number;
}

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** Tolerance: far below one request or token, far above rounding errors. */
export const SLACK = 1e-6;

/**
 * A token bucket, described by its missing part: a whole minute's worth may be used at once, and flows back evenly over
 * a minute.
 */
export class MinuteQuota implements Quota {
  #used: number;
  #at: number;

  constructor(
    readonly limit: number,
    private readonly clock: Now,
    used = 0,
  ) {
    this.#used = used;
    this.#at = clock();
  }

  get used(): number {
    const now = this.clock();
    // A clock that was set back must not change the usage.
    const elapsed = Math.max(0, now - this.#at);
    this.#at = now;
    this.#used = Math.max(0, this.#used - (elapsed * this.limit) / MINUTE);
    return this.#used;
  }

  /** Its state now, for `recall`. */
  get saved(): SavedBucket {
    return { used: this.used, at: this.#at };
  }

  /** Goes on from an earlier state. The limit has refilled since then. */
  recall({ used, at }: SavedBucket): void {
    this.#used = used;
    this.#at = at;
  }

  use(amount: number): void {
    this.#used = this.used + amount;
  }

  msUntilRoom(amount: number, held: number): number {
    // Held tokens count as used: a running request may use all of them.
    const excess = this.used + held + amount - this.limit;
    return excess <= SLACK ? 0 : (excess * MINUTE) / this.limit;
  }

  get msUntilReset(): number {
    return (this.used * MINUTE) / this.limit;
  }
}

/** A limit per day, from midnight to midnight UTC. The ledger counts the usage: `usedToday` reads it. */
export class DayQuota implements Quota {
  constructor(
    readonly limit: number,
    private readonly clock: Now,
    private readonly usedToday: () => number,
  ) {}

  get used(): number {
    return this.usedToday();
  }

  msUntilRoom(amount: number, held: number): number {
    if (this.used + held + amount <= this.limit) return 0;
    // Only held tokens are in the way: there may be room as soon as a running request ends, at a time nobody knows.
    if (this.used + amount <= this.limit) return 1;
    return this.msUntilReset;
  }

  get msUntilReset(): number {
    return DAY - (this.clock() % DAY);
  }
}
