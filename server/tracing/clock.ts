/** The clocks are taken to agree again within this. */
const TOLERANCE_MS = 2;

/**
 * Places times of `performance.now()` on the calendar. `performance.timeOrigin` alone would not do for a server that runs
 * for months: the clocks drift apart, and the monotonic one stands still while the machine sleeps.
 */
export class CalendarClock {
  readonly #wall: () => number;
  readonly #now: () => number;
  #origin: number;

  constructor(wall = Date.now, now = () => performance.now(), origin = performance.timeOrigin) {
    this.#wall = wall;
    this.#now = now;
    this.#origin = origin;
  }

  /** What to add to a time of `performance.now()` to get milliseconds since 1970. */
  get origin(): number {
    const apart = this.#wall() - (this.#origin + this.#now());
    if (Math.abs(apart) > TOLERANCE_MS) this.#origin += apart;
    return this.#origin;
  }
}
