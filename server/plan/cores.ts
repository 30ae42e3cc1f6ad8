export interface CoresToShare {
  /** Number of cores; may be a fraction, as in a container's quota. */
  cores: number;
  /** Size of the graph and its weights on disk. */
  modelBytes: number;
  /** The setting for threads per worker. */
  threads: number | "auto";
  /** The setting for sequences in flight. */
  concurrency: number | "auto";
  /** Whether memory holds this many workers with some sequences in each. */
  fits: (workers: number) => boolean;
}

/** A worker gets one thread per this many bytes of weights; `shareCores` explains the number. */
const BYTES_PER_THREAD = 32 * 2 ** 20;

/** How many threads a model's weights keep busy. */
export const busyThreads = (modelBytes: number): number =>
  Math.max(1, Math.ceil(modelBytes / BYTES_PER_THREAD));

/**
 * The main thread spends 16 µs on each token of a whole answer and 40 µs on each streamed one; a worker spends 250 to
 * 500 µs on a token. With more workers than this, the main thread would be the bottleneck.
 */
const MOST_WORKERS = 16;

/**
 * Decides how many workers share a CPU's cores, and says why. Every worker batches only its own sequences, and reads the
 * weights for each batch; all read the same copy, if `preparedGraph` has made one.
 *
 * **Measurements** (two cores, AVX2, 24 MB of int8 weights). A decode step on one thread takes 0.7 ms + 0.4 ms per
 * sequence, up to 64 sequences. A second thread in the same worker helps little: the runtime splits each of the 212
 * nodes of a step into parallel sections, most of which end before the other thread wakes up, and sampling, the cache
 * and all small nodes stay on one thread. A second worker runs all of that in parallel. Tokens/s over HTTP at 1 / 8 /
 * 32 clients:
 *
 *     1 worker,  1 thread    607–864   1,592–1,762   1,788–2,027
 *     1 worker,  2 threads   681–864   1,922–2,057   2,335–2,492
 *     2 workers, 1 thread    701–703   2,651–2,661   3,446–3,581
 *
 * On two other kinds of cores, with AVX-512 VNNI and 23 MB of weights: speed of two workers of one thread, divided by
 * that of one worker of two threads (measured in alternating pairs), at 2 / 8 / 32 / 128 clients:
 *
 *     Cascade Lake    0.92–0.94   1.01–1.05   1.17–1.26   1.15–1.31
 *     Zen 4           1.52        1.56        1.38        1.27
 *
 * Two workers are slower for a lone request: 0.79 to 0.91 times as fast on Cascade Lake, and on both kinds the first
 * token after a prompt of 200 takes 1.1 to 1.24 times as long. So the first worker has a second session with more
 * threads, which it uses while no other worker has a sequence; see `ElasticSession`.
 *
 * Beside another process that keeps one core busy, two workers are 1.8 to 2.3 times as fast as one: a parallel section
 * ends when its slowest thread does, and a helper thread that lost its core waits a time slice to get it back.
 *
 * These are of workers with copies of their own. One that all share makes two workers 1.46 times as fast at 8 clients. With 280 MB
 * of weights they remain slower than one of two threads even so: 1.17, 0.82 and 0.82 at 1, 4 and 16 clients.
 *
 * **Reasons for fewer workers.** A step reads all weights, whatever its batch size. `n` workers read them `n` times,
 * where one wide worker reads them once, at 10 to 20 GB/s in total if the caches don't hold the copies. In return,
 * workers run in parallel what a second thread can't shorten: some 2 ms of the 4.5 ms of a step with eight sequences.
 * So one-thread workers with eight sequences each lose nothing as long as reading the weights takes at most 2 ms: 2 ms
 * × 16 GB/s = 32 MB. The same bound limits the time to the first token: one thread reads a lone prompt of 200 tokens in
 * some 45 ms (two threads: 30 ms), in proportion to the weights. With a thread per 32 MiB that is some 60 ms for every
 * model.
 *
 * **Result.** A worker has one thread per 32 MiB of weights. There are as many such workers as the cores allow, limited
 * by memory, the sequences in flight and MOST_WORKERS. With a fractional quota, as in containers, one-thread workers
 * take the nearest whole number of cores: half a core more is worth the pauses when the quota is used up. Wider workers
 * take only whole cores, since their helper threads spin and would use up the quota by waiting.
 */
export function shareCores({ cores, modelBytes, threads, concurrency, fits }: CoresToShare): {
  workers: number;
  why: string;
} {
  const wanted = busyThreads(modelBytes);
  const width = Math.max(wanted, threads === "auto" ? 1 : threads);
  const whole = Math.max(1, width === 1 ? Math.round(cores) : Math.floor(cores / width));
  const each = width === 1 ? "" : `, ${width} for each`;
  const weights = `${(modelBytes / 2 ** 20).toFixed(1)} MiB of weights`;
  const reasons: [workers: number, why: string][] = [
    [
      whole,
      width > wanted
        ? `from ${coresText(cores)}${each}, since threads are set`
        : `from ${coresText(cores)}${each}: ${weights} keep ${wanted === 1 ? "one thread" : `${wanted} threads`} busy`,
    ],
    [MOST_WORKERS, "since more would only wait for the thread that serves HTTP"],
  ];
  if (concurrency !== "auto") reasons.push([concurrency, "as many as sequences in flight"]);
  let [workers, why] = reasons.reduce((least, one) => (one[0] < least[0] ? one : least));
  while (workers > 1 && !fits(workers)) {
    workers--;
    why = "as many copies of the weights as free memory holds";
  }
  return { workers, why };
}

const coresText = (cores: number) => `${Number(cores.toFixed(2))} ${cores === 1 ? "core" : "cores"}`;
