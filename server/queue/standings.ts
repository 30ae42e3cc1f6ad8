import type { Clock } from "./clock.js";
import type { OnStanding, Standing } from "./ticket.js";

/** Nobody is told more often than this. */
const PAUSE_MS = 1000;

/** By so much a timer may be early. */
const EARLY_MS = 2;

/** To compute all standings may take this share of the time, if there are very many. */
const SHARE = 0.05;

interface Watcher {
  readonly tell: OnStanding;
  told: Standing;
  toldAt: number;
}

/** Tells those who wait where they stand, each at most once a second, many changes as one. */
export class Standings<K> {
  readonly #clock: Clock;
  readonly #compute: () => Iterable<[K, Standing]>;
  readonly #watchers = new Map<K, Watcher>();
  #isDue = false;
  #pauseMs = PAUSE_MS;

  /** @param compute where everybody stands just now */
  constructor(clock: Clock, compute: () => Iterable<[K, Standing]>) {
    this.#clock = clock;
    this.#compute = compute;
  }

  watch(key: K, standing: Standing, tell: OnStanding): void {
    this.#watchers.set(key, { tell, told: standing, toldAt: this.#clock.now() });
    tell(standing);
  }

  /** It waits no longer. */
  leave(key: K): void {
    this.#watchers.delete(key);
  }

  /** Something has moved. */
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
    // All of it first: whoever is told may leave, which changes what is computed.
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
