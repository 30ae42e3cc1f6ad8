import {
  createHistogram,
  type EventLoopUtilization,
  monitorEventLoopDelay,
  performance,
  type RecordableHistogram,
} from "node:perf_hooks";

/** Interval of the timer whose lateness is measured. */
const RESOLUTION_MS = 20;
/** Below this much work in a second, no callback can be later than that, and the timer rests. */
const QUIET_MS = 50;

/** Of a stretch of time, in milliseconds. */
export interface Delays {
  min: number;
  max: number;
  mean: number;
  stddev: number;
  p50: number;
  p90: number;
  p99: number;
}

/**
 * How late callbacks of the main thread are. A timer measures it, and would wake an idle server fifty times a second: it
 * runs only after a second in which the main thread had work.
 */
export class LoopDelay {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  /** Since it was taken. Null until somebody wants it. */
  #taken: RecordableHistogram | null = null;
  /** Its timer: Node's own histogram would take each rest for one long delay. */
  #sampling: NodeJS.Timeout | undefined;
  /** The latest of the ticks since then. */
  #latestMs = 0;
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
    this.#latestMs = Math.max(this.#latestMs, lateMs);
    this.#histogram.reset();
    this.#measure(active > QUIET_MS);
  }

  /** Of the time since the last call. The first call begins to measure, and has nothing yet. */
  take(): Delays {
    if (this.#taken === null) this.#latestMs = 0;
    this.#taken ??= createHistogram();
    const { count, min, max, mean, stddev } = this.#taken;
    const at = (percentile: number) => (count > 0 ? round(this.#taken!.percentile(percentile) / 1e6) : 0);
    const latest = round(this.#latestMs);
    const delays = {
      min: count > 0 ? round(min / 1e6) : 0,
      max: Math.max(count > 0 ? round(max / 1e6) : 0, latest),
      mean: count > 0 ? round(mean / 1e6) : 0,
      stddev: count > 0 ? round(stddev / 1e6) : 0,
      p50: at(50),
      p90: at(90),
      p99: count > 0 ? at(99) : latest,
    };
    this.#taken.reset();
    this.#latestMs = 0;
    this.#measure(this.#isMeasuring);
    return delays;
  }

  close(): void {
    this.#measure(false);
  }

  #measure(isMeasuring: boolean): void {
    this.#isMeasuring = isMeasuring;
    if (isMeasuring) this.#histogram.enable();
    else this.#histogram.disable();
    if (!isMeasuring) {
      clearInterval(this.#sampling);
      this.#sampling = undefined;
    } else if (this.#taken !== null) this.#sampling ??= sampleInto(this.#taken);
  }

  #at(percentile: number): number {
    return round(Math.max(this.#histogram.percentile(percentile) / 1e6 - RESOLUTION_MS, 0));
  }
}

/** Records how late a timer is, in nanoseconds. */
function sampleInto(histogram: RecordableHistogram): NodeJS.Timeout {
  let before = performance.now();
  return setInterval(() => {
    const now = performance.now();
    const lateMs = now - before - RESOLUTION_MS;
    before = now;
    // A histogram has no zero.
    histogram.record(Math.max(1, Math.round(lateMs * 1e6)));
  }, RESOLUTION_MS).unref();
}

const round = (value: number) => Math.round(value * 10) / 10;
