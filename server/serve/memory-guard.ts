import type { Log } from "../log.js";
import { leastRoom, type Room } from "../plan/cgroups.js";

/** Interval of the looks, in milliseconds. */
const LOOK_MS = 1000;
/** Memory that is short for so many looks in a row is not a peak. */
const SUSTAINED = 10;
/** After a warning, the next one comes only if the memory has been below this share of the budget in between. */
const RELIEF = 0.9;
/** The part of a container's memory that is kept free, within bounds: running work may take that much between two looks. */
const MARGIN = { share: 1 / 16, least: 16 * 2 ** 20, most: 512 * 2 ** 20 };

/** The workers, whose memory is freed when they end. */
export interface Renewable {
  /** How many there are. */
  readonly size: number;
  /** Whether all can work, and none is being replaced. */
  readonly isWhole: boolean;
  /** Replaces the oldest one, as soon as it has no work. */
  renew(): void;
}

export interface MemoryGuardParts {
  /** In bytes. */
  budget: number;
  log: Log;
  /** Null while there are none, or if they must not be replaced. Then the guard only logs. */
  workers: () => Renewable | null;
  /** In bytes, of the whole process. */
  rss?: () => number;
  /** Of the container; null without a limit. */
  room?: () => Room | null;
}

/**
 * Holds the memory of the whole process, weights and caches included, against its budget and the limit of its container.
 *
 * - Beyond the budget, the log warns. After ten seconds of that, workers are replaced, one at a time: their native memory
 *   ends with them. If that doesn't help, it is not tried again until the process was below the budget.
 * - Near the container's limit, where the next allocation may end the process, new work is refused too, until there is
 *   room again. What runs goes on.
 */
export class MemoryGuard {
  readonly #parts: Required<MemoryGuardParts>;
  readonly #looking: NodeJS.Timeout;
  /** Readings of the last look. Reading them for each GET /health would take longer than the rest of it. */
  #rss: number;
  #room: Room | null;
  #isOver = false;
  #isLimited = false;
  /** Looks in a row at which memory was short. */
  #short = 0;
  /** Workers replaced since memory became short. */
  #renewals = 0;
  #replaced = 0;

  constructor(parts: MemoryGuardParts) {
    this.#parts = { rss: () => process.memoryUsage.rss(), room: () => leastRoom(), ...parts };
    this.#rss = this.#parts.rss();
    this.#room = this.#parts.room();
    this.#looking = setInterval(() => this.look(), LOOK_MS).unref();
  }

  /** Whether new work must be refused. */
  get isLimited(): boolean {
    return this.#isLimited;
  }

  /** Bytes at the last look, and how many workers were replaced; `container_free` is null without a limit. */
  read() {
    return {
      rss: this.#rss,
      budget: this.#parts.budget,
      container_free: this.#room?.free ?? null,
      limited: this.#isLimited,
      replaced_workers: this.#replaced,
    };
  }

  look(): void {
    this.#rss = this.#parts.rss();
    this.#room = this.#parts.room();
    this.#compare(this.#rss);
    if (this.#parts.workers() !== null) this.#limit(this.#room);
    const isShort = this.#isLimited || this.#rss > this.#parts.budget;
    this.#short = isShort ? this.#short + 1 : 0;
    if (!this.#isOver && !this.#isLimited) this.#renewals = 0;
    if (this.#short < SUSTAINED) return;
    this.#short = 0;
    this.#renew();
  }

  close(): void {
    clearInterval(this.#looking);
  }

  #compare(rss: number): void {
    const { budget, log } = this.#parts;
    if (rss > budget && !this.#isOver) {
      this.#isOver = true;
      log.warn(`the process holds ${mebibytes(rss)}, more than its budget of ${mebibytes(budget)}`);
    } else if (rss < RELIEF * budget && this.#isOver) {
      this.#isOver = false;
      log.info(`the process holds ${mebibytes(rss)}, within its budget again`);
    }
  }

  #limit(room: Room | null): void {
    const { log } = this.#parts;
    if (room === null) {
      if (this.#isLimited)
        log.info("the container has no limit of memory any more: new work is accepted again");
      this.#isLimited = false;
      return;
    }
    const { share, least, most } = MARGIN;
    const margin = Math.min(Math.max(share * room.limit, least), most);
    if (room.free < margin && !this.#isLimited) {
      this.#isLimited = true;
      log.error(
        `the container has ${mebibytes(room.free)} left of ${mebibytes(room.limit)}: new work is refused`,
      );
    } else if (room.free > 2 * margin && this.#isLimited) {
      this.#isLimited = false;
      log.info(`the container has ${mebibytes(room.free)} left: new work is accepted again`);
    }
  }

  #renew(): void {
    const { log } = this.#parts;
    const workers = this.#parts.workers();
    if (workers === null || !workers.isWhole || this.#renewals > workers.size) return;
    if (++this.#renewals > workers.size) {
      log.error(`the process holds ${mebibytes(this.#rss)}, though all its workers were replaced`);
      return;
    }
    this.#replaced++;
    log.warn("memory is short: a worker is replaced as soon as it has no work");
    workers.renew();
  }
}

const mebibytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;
