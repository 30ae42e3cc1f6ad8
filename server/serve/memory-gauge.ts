import type { Log } from "../log.js";

/** Interval of the readings, in milliseconds. */
const READ_MS = 10_000;
/** After a warning another comes only when the memory was below this share of the budget meanwhile. */
const RELIEF = 0.9;
/** How old a reading may be, in milliseconds. One takes up to 0.3 ms, and /health may be asked a thousand times a second. */
const FRESH_MS = 250;

/** Holds the memory of the whole process, weights and caches included, against a budget; warns in the log. */
export class MemoryGauge {
  readonly #budget: number;
  readonly #log: Log;
  readonly #rss: () => number;
  readonly #reading: NodeJS.Timeout;
  #isOver = false;

  /** @param budget in bytes */
  constructor(budget: number, log: Log, rss = freshEnough(() => process.memoryUsage.rss())) {
    this.#budget = budget;
    this.#log = log;
    this.#rss = rss;
    this.#reading = setInterval(() => this.look(), READ_MS).unref();
  }

  /** In bytes. */
  read(): { rss: number; budget: number } {
    return { rss: this.#rss(), budget: this.#budget };
  }

  look(): void {
    const { rss, budget } = this.read();
    if (rss > budget && !this.#isOver) {
      this.#isOver = true;
      this.#log.warn(`the process holds ${megabytes(rss)}, more than its budget of ${megabytes(budget)}`);
    } else if (rss < RELIEF * budget && this.#isOver) {
      this.#isOver = false;
      this.#log.info(`the process holds ${megabytes(rss)}, within its budget again`);
    }
  }

  close(): void {
    clearInterval(this.#reading);
  }
}

/** Reads again only when the last value is too old. */
function freshEnough(read: () => number): () => number {
  let value = 0;
  let readAt = Number.NEGATIVE_INFINITY;
  return () => {
    const now = performance.now();
    if (now - readAt > FRESH_MS) [value, readAt] = [read(), now];
    return value;
  };
}

const megabytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MB`;
