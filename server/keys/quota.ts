/** Milliseconds since 1970. */
export type Now = () => number;

/** A limit on what may be used in a time. What is held for requests that still run is given by whoever asks. */
export interface Quota {
  readonly limit: number;
  readonly used: number;
  /** Milliseconds until `amount` more has room beside what is held; 0: it has now. */
  msUntilRoom(amount: number, held: number): number;
  /** Milliseconds until nothing counts as used. */
  readonly msUntilReset: number;
}

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** Far below one request or token, and far above what floating point loses. */
export const SLACK = 1e-6;

/**
 * A token bucket, told by what is missing from it: a whole minute's worth may be used at once, and what is used comes
 * back evenly, the whole of it in a minute.
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
    // A clock that was set back gives nothing back and takes nothing.
    const elapsed = Math.max(0, now - this.#at);
    this.#at = now;
    this.#used = Math.max(0, this.#used - (elapsed * this.limit) / MINUTE);
    return this.#used;
  }

  use(amount: number): void {
    this.#used = this.used + amount;
  }

  msUntilRoom(amount: number, held: number): number {
    // Held tokens count as used: they are the most that can be used.
    const excess = this.used + held + amount - this.limit;
    return excess <= SLACK ? 0 : (excess * MINUTE) / this.limit;
  }

  get msUntilReset(): number {
    return (this.used * MINUTE) / this.limit;
  }
}

/** A limit on a day from midnight to midnight, UTC; `usedToday` is kept by somebody else. */
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
    // Without what is held there is room: as soon as one of those ends that hold it, which nobody knows.
    if (this.used + amount <= this.limit) return 1;
    return this.msUntilReset;
  }

  get msUntilReset(): number {
    return DAY - (this.clock() % DAY);
  }
}
