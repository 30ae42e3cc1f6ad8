/** What is kept of each second. */
export interface Sample {
  generated_tokens: number;
  prompt_tokens: number;
  running: number;
  waiting: number;
  used_rows: number;
  ttft_p50_ms: number | null;
  ttft_p99_ms: number | null;
  itl_p50_ms: number | null;
  itl_p99_ms: number | null;
}

export type Series = { [name in keyof Sample]: Sample[name][] };

const NAMES: readonly (keyof Sample)[] = [
  "generated_tokens",
  "prompt_tokens",
  "running",
  "waiting",
  "used_rows",
  "ttft_p50_ms",
  "ttft_p99_ms",
  "itl_p50_ms",
  "itl_p99_ms",
];

/** The samples of the last five minutes. */
export class History {
  readonly #most: number;
  readonly #samples: Sample[] = [];

  constructor(most = 300) {
    this.#most = most;
  }

  add(sample: Sample): void {
    this.#samples.push(sample);
    if (this.#samples.length > this.#most) this.#samples.shift();
  }

  /** A list for each name, oldest first. */
  get series(): Series {
    const series = NAMES.map((name) => [name, this.#samples.map((sample) => sample[name])]);
    return Object.fromEntries(series) as Series;
  }
}
