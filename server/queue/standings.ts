import type { Clock } from "./clock.js";
import type { OnStanding, Standing } from "./ticket.js";

/** A request is told at most once in this time. */
const PAUSE_MS = 1000;

/** A timer may fire early by this much. */
const EARLY_MS = 2;

/** Computing standings may take this share of the time; with a very long line, requests are told less often. */
const SHARE = 0.05;

interface Watcher {
  readonly tell: OnStanding;
  told: Standing;
  toldAt: number;
}

/** Tells waiting requests their position and expected wait, each at most once a second. */
export class Standings<K> {
  readonly #clock: Clock;
  readonly #compute: () => Iterable<[K, Standing]>;
  readonly #watchers = new Map<K, Watcher>();
  #isDue = false;
  #pauseMs = PAUSE_MS;

  /** @param compute yields everyone's current standing */
  constructor(clock: Clock, compute: () => Iterable<[K, Standing]>) {
    this.#clock = clock;
    this.#compute = compute;
  }

  watch(key: K, standing: Standing, tell: OnStanding): void {
    this.#watchers.set(key, { tell, told: standing, toldAt: this.#clock.now() });
    tell(standing);
  }

  /** The request no longer waits. */
  leave(key: K): void {
    this.#watchers.delete(key);
  }

  /** Standings may have changed. */
  announce(): void {
    if (this.#isDue || this.#watchers.size === 0) return;
    this.#isDue = true;
    this.#clock.after(this.#pauseMs, () => this.#tellAll());
  }

  #tellAll(): void {
    this.#isDue = false;
    if (this.#watchers.size === 0) return;
    const now = this.#clock.now();
    let isTooSoon = false;
    // Computed completely before anyone is told: a listener may cancel its request, which changes the order.
    for (const [key, standing] of [...this.#compute()]) {
      const watcher = this.#watchers.get(key);
      if (watcher === undefined) continue;
      const { told, toldAt, tell } = watcher;
      if (told.position === standing.position && told.expectedWait === standing.expectedWait) continue;
      if (now - toldAt < PAUSE_MS - EARLY_MS) {
        isTooSoon = true;
        continue;
      }
      Object.assign(watcher, { told: standing, toldAt: now });
      tell(standing);
    }
    this.#pauseMs = Math.max(PAUSE_MS, (this.#clock.now() - now) / SHARE);
    if (isTooSoon) this.announce();
  }
}
