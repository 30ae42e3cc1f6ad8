export interface CoresToShare {
  /** Cores' worth of computing time; may be a fraction. */
  cores: number;
  /** The graph and its weights on disk. */
  modelBytes: number;
  /** The threads of each worker, where they are set. */
  threads: number | "auto";
  /** The most sequences in flight, where that is set. */
  concurrency: number | "auto";
  /** Whether memory holds so many workers and some sequences in each. */
  fits: (workers: number) => boolean;
}

/** A thread for each so many bytes of weights; `shareCores` derives it. */
const BYTES_PER_THREAD = 32 * 2 ** 20;

/**
 * The main thread spends 16 µs on each token of an answer that comes whole, and 40 µs on one that is streamed; a worker
 * spends 250 to 500 µs on it. More workers than this would wait for the main thread.
 */
const MOST_WORKERS = 16;

/**
 * How many workers share a CPU's cores, and why. Every worker has a copy of the weights of its own, and batches only
 * its own sequences.
 *
 * **What was measured** (two cores, AVX2, 24 MB of int8 weights). A decode step of one thread takes 0.7 ms + 0.4 ms for
 * each sequence, up to 64 of them. A second thread in the same worker saves little: the runtime cuts 212 nodes a step into
 * parallel sections, most of which end before the other thread has woken, and sampling, the cache and all small nodes
 * stay on one thread. A second worker doubles all of it. Tokens/s over HTTP at 1 / 8 / 32 clients:
 *
 *     1 worker,  1 thread    607–864   1,592–1,762   1,788–2,027
 *     1 worker,  2 threads   681–864   1,922–2,057   2,335–2,492
 *     2 workers, 1 thread    701–703   2,651–2,661   3,446–3,581
 *
 * On two other kinds of cores, with AVX-512 VNNI, two workers of one thread gave in pairs in turn, beside one of two, with 23 MB
 * of weights at 2 / 8 / 32 / 128 clients:
 *
 *     Cascade Lake    0.92–0.94   1.01–1.05   1.17–1.26   1.15–1.31
 *     Zen 4           1.52        1.56        1.38        1.27
 *
 * A lone request is what they serve worse: 0.79 to 0.91 times as fast on the former, and on either its first token, after a
 * prompt of 200, 1.1 to 1.24 times as late. So the first worker has a second session of more threads, which it uses
 * while no other worker has a sequence; see `ElasticSession`.
 *
 * Beside a process that keeps one core busy, two workers are 1.8 to 2.3 times as fast: a parallel section ends when its
 * slowest thread does, and a helper thread that has lost its core takes a time slice to come back.
 *
 * **What speaks for fewer.** A step reads all weights, whatever its batch: what one wide worker reads once, `n` workers
 * read `n` times, at 10 to 20 GB/s for all together where the caches don't hold the copies. In return they share out what a
 * second thread does not shorten, some 2 ms of the 4.5 ms that a step of eight sequences takes. So workers of one thread
 * lose nothing at eight sequences each as long as the weights are read in 2 ms: 2 ms × 16 GB/s = 32 MB. The same bound
 * keeps the wait for a first token within reason: a lone prompt of 200 tokens takes one thread some 45 ms (two threads:
 * 30 ms), in proportion to the weights, and so with a thread for each 32 MB some 60 ms, whatever the model.
 *
 * **So** a worker has a thread for each 32 MB of weights, and there are as many workers as that leaves room for, within
 * memory, the sequences in flight and MOST_WORKERS. Of a quota with a fraction, as containers have it, workers of one
 * thread take the nearest whole number: half a core more is worth pauses when the quota is used up. Wider workers take
 * only whole cores, since their helper threads spin, and would use up the quota by waiting.
 */
export function shareCores({ cores, modelBytes, threads, concurrency, fits }: CoresToShare): {
  workers: number;
  why: string;
} {
  const wanted = Math.max(1, Math.ceil(modelBytes / BYTES_PER_THREAD));
  const width = Math.max(wanted, threads === "auto" ? 1 : threads);
  const whole = Math.max(1, width === 1 ? Math.round(cores) : Math.floor(cores / width));
  const each = width === 1 ? "" : `, ${width} for each`;
  const weights = `${(modelBytes / 2 ** 20).toFixed(1)} MB of weights`;
  const reasons: [workers: number, why: string][] = [
    [
      whole,
      width > wanted
        ? `from ${coresText(cores)}${each}, as their threads are set`
        : `from ${coresText(cores)}${each}: ${weights} keep ${wanted === 1 ? "one thread" : `${wanted} threads`} busy`,
    ],
    [MOST_WORKERS, "beyond which they would wait for the thread that serves HTTP"],
  ];
  if (concurrency !== "auto") reasons.push([concurrency, "as many as sequences in flight"]);
  let [workers, why] = reasons.reduce((least, one) => (one[0] < least[0] ? one : least));
  while (workers > 1 && !fits(workers)) {
    workers--;
    why = "as many as free memory holds with their copies of the weights";
  }
  return { workers, why };
}

const coresText = (cores: number) => `${Number(cores.toFixed(2))} ${cores === 1 ? "core" : "cores"}`;
