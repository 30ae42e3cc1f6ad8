import type { Now } from "./quota.js";
import type { Counts, SavedUsage } from "./saved-usage.js";

/** How many days are kept. */
export const DAYS = 31;

/** The day (UTC) of a time in milliseconds since 1970: `2026-01-31`. */
export const dateOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

const nothing = (): Counts => ({ requests: 0, refused: 0, promptTokens: 0, completionTokens: 0 });

/** A caller's usage, in total and for each of the last days (UTC). */
export class Ledger {
  readonly total = nothing();
  #since: Date;
  #changes = 0;
  #days = new Map<string, Counts>();

  constructor(private readonly clock: Now) {
    this.#since = new Date(clock());
  }

  /** Start of the counts. */
  get since(): Date {
    return this.#since;
  }

  /** How many times anything was added. */
  get changes(): number {
    return this.#changes;
  }

  /** Goes on with what an earlier process counted. Call it before anything is added. */
  recall({ since, total, days }: Pick<SavedUsage, "since" | "total" | "days">): void {
    this.#since = new Date(since);
    Object.assign(this.total, total);
    this.#days = new Map(days.slice(0, DAYS));
  }

  add(counts: Partial<Counts>): void {
    this.#changes++;
    const today = this.#today();
    for (const [name, amount] of Object.entries(counts) as [keyof Counts, number][]) {
      this.total[name] += amount;
      today[name] += amount;
    }
  }

  get tokensToday(): number {
    const { promptTokens, completionTokens } = this.#days.get(this.#date()) ?? nothing();
    return promptTokens + completionTokens;
  }

  /** The days with any usage, latest first. */
  get days(): [date: string, Readonly<Counts>][] {
    return [...this.#days].sort(([a], [b]) => (a < b ? 1 : -1));
  }

  /** The last day with any usage, or the day on which the counts began. */
  get lastDay(): string {
    return this.days[0]?.[0] ?? dateOf(this.#since.getTime());
  }

  #today(): Counts {
    const date = this.#date();
    let counts = this.#days.get(date);
    if (counts === undefined) {
      counts = nothing();
      this.#days.set(date, counts);
      // A clock that was set back far makes today the first of all: it must not be the one that goes.
      const others = this.days.filter(([day]) => day !== date);
      if (others.length >= DAYS) this.#days.delete(others.at(-1)![0]);
    }
    return counts;
  }

  #date(): string {
    return dateOf(this.clock());
  }
}
