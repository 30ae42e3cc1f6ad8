import {
  type Series,
  type SeriesName,
  type Status,
  type StatusHistory,
  seriesNames,
} from "../wire/status.js";

/** How many seconds are kept. */
export const KEPT_SECONDS = 300;

/** The last five minutes: a value for each second of each series, oldest first; null where nothing is known. */
export class RecentSeconds {
  readonly series: Series;
  /** Time of the last value, in milliseconds since the epoch. */
  readonly #until: number;
  /** Whether the server's history has the last second already, so that the first state is no new one. */
  readonly #isTold: boolean;

  private constructor(series: Series, until: number, isTold: boolean) {
    this.series = series;
    this.#until = until;
    this.#isTold = isTold;
  }

  static readonly empty = new RecentSeconds(
    seriesOf(() => new Array(KEPT_SECONDS).fill(null)),
    0,
    true,
  );

  /** Takes over what the server knows. It may know less than this page, after a restart: then older values stay. */
  withHistory({ until, series }: StatusHistory): RecentSeconds {
    const end = Date.parse(until);
    const known = series.generated_tokens.length;
    const passed = Math.max(Math.round((end - this.#until) / 1000), 0);
    const gap = new Array<null>(Math.min(Math.max(passed - known, 0), KEPT_SECONDS)).fill(null);
    const before = (name: SeriesName) => {
      const own = this.series[name];
      // The seconds that both know are the server's.
      return own.slice(0, Math.max(own.length - Math.max(known - passed, 0), 0));
    };
    return new RecentSeconds(
      seriesOf((name) => [...before(name), ...gap, ...series[name]].slice(-KEPT_SECONDS)),
      end,
      true,
    );
  }

  /** Adds the second of a state. Seconds that a slow connection has missed become gaps. */
  withStatus(status: Status): RecentSeconds {
    const time = Date.parse(status.time);
    if (this.#isTold) return new RecentSeconds(this.series, time, false);
    const missed = Math.min(Math.max(Math.round((time - this.#until) / 1000) - 1, 0), KEPT_SECONDS);
    const gap = new Array<null>(missed).fill(null);
    const values = valuesOf(status);
    return new RecentSeconds(
      seriesOf((name) => [...this.series[name], ...gap, values[name]].slice(-KEPT_SECONDS)),
      time,
      false,
    );
  }
}

function seriesOf(values: (name: SeriesName) => (number | null)[]): Series {
  return Object.fromEntries(seriesNames.map((name) => [name, values(name)])) as Series;
}

function valuesOf({
  rates,
  queue,
  cache,
  latency_ms: { ttft, itl },
}: Status): Record<SeriesName, number | null> {
  return {
    generated_tokens: rates.generated_tokens,
    prompt_tokens: rates.prompt_tokens,
    running: queue.running,
    waiting: queue.waiting,
    used_rows: cache.used_rows,
    ttft_p50_ms: ttft.p50,
    ttft_p99_ms: ttft.p99,
    itl_p50_ms: itl.p50,
    itl_p99_ms: itl.p99,
  };
}
