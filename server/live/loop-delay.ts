import { type EventLoopUtilization, monitorEventLoopDelay, performance } from "node:perf_hooks";

/** Interval of the timer whose lateness is measured. */
const RESOLUTION_MS = 20;
/** Below this much work in a second, no callback can be later than that, and the timer rests. */
const QUIET_MS = 50;

/**
 * How late callbacks of the main thread are. A timer measures it, and would wake an idle server fifty times a second: it
 * runs only after a second in which the main thread had work.
 */
export class LoopDelay {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #isMeasuring = false;
  #utilization: EventLoopUtilization = performance.eventLoopUtilization();
  #percentiles = { p50: 0, p99: 0 };

  /** Of the last second, in milliseconds. */
  get percentiles(): { p50: number; p99: number } {
    return this.#percentiles;
  }

  /** Whether the timer runs. */
  get isMeasuring(): boolean {
    return this.#isMeasuring;
  }

  /** A second has passed. @param lateMs how late this call is, which is all that is known while the timer rests */
  tick(lateMs: number): void {
    const now = performance.eventLoopUtilization();
    const { active } = performance.eventLoopUtilization(now, this.#utilization);
    this.#utilization = now;
    this.#percentiles = this.#isMeasuring
      ? { p50: this.#at(50), p99: this.#at(99) }
      : { p50: 0, p99: round(Math.max(lateMs, 0)) };
    this.#histogram.reset();
    this.#measure(active > QUIET_MS);
  }

  close(): void {
    this.#measure(false);
  }

  #measure(isMeasuring: boolean): void {
    this.#isMeasuring = isMeasuring;
    if (isMeasuring) this.#histogram.enable();
    else this.#histogram.disable();
  }

  #at(percentile: number): number {
    return round(Math.max(this.#histogram.percentile(percentile) / 1e6 - RESOLUTION_MS, 0));
  }
}

const round = (value: number) => Math.round(value * 10) / 10;
