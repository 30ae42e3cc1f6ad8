import type { Now } from "./quota.js";

/** Usage. `refused` counts the requests that a limit of the key refused; `requests` includes them. */
export interface Counts {
  requests: number;
  refused: number;
  promptTokens: number;
  completionTokens: number;
}

/** How many days are kept. */
const DAYS = 31;

const nothing = (): Counts => ({ requests: 0, refused: 0, promptTokens: 0, completionTokens: 0 });

/** A caller's usage since the process started, in total and for each of the last days (UTC). Kept only in memory. */
export class Ledger {
  readonly since: Date;
  readonly total = nothing();
  #days = new Map<string, Counts>();

  constructor(private readonly clock: Now) {
    this.since = new Date(clock());
  }

  add(counts: Partial<Counts>): void {
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

  #today(): Counts {
    const date = this.#date();
    let counts = this.#days.get(date);
    if (counts === undefined) {
      counts = nothing();
      this.#days.set(date, counts);
      if (this.#days.size > DAYS) this.#days.delete(this.days.at(-1)![0]);
    }
    return counts;
  }

  #date(): string {
    return new Date(this.clock()).toISOString().slice(0, 10);
  }
}
