import type { EngineObserver } from "./engine/observer.js";

/** Upper bounds of the histogram of inter-token latencies (ITL), in milliseconds; a last bucket has all that is above. */
export const ITL_BOUNDS_MS: readonly number[] = [
  1, 2, 3, 5, 7.5, 10, 15, 20, 30, 50, 75, 100, 200, 500, 1000, 2500, 5000, 10_000,
];

/** Upper bounds of the histogram of a step's tokens; a last bucket has all that is above. */
export const STEP_BOUNDS: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];

/** What a worker's slot holds. */
export interface Slot {
  state: "idle" | "prefill" | "decode";
  /** Tokens of its sequence that are in the cache. */
  tokens: number;
}

/** What a place's workers have computed since the start; a successor goes on counting. */
export interface WorkerCounts {
  /** Tokens of prompts that were computed, and those that were written. */
  prefilled: number;
  written: number;
  /** Number of inter-token latencies in each bucket, and their sum in milliseconds. */
  itl: number[];
  itlSumMs: number;
  /** Number of steps by their tokens: those of prompts that were computed, and those that were written. */
  steps: number[];
}

const COUNTS = 3;
const STATES = ["idle", "prefill", "decode"] as const;

/**
 * What each worker does now and has done so far, for the main thread to read at any time.
 *
 * Shared memory. `counts` is float64 [workers, 3 + buckets]: tokens of prompts, tokens written, the sum of all
 * latencies, their histogram, and the histogram of the steps' tokens. `slots` is int32 [workers, slots, 2]: a slot's state and tokens. Each worker writes
 * its own part alone, so a reader may see a step half told, but no wrong number.
 */
export class Gauges {
  readonly buffers: { counts: SharedArrayBuffer; slots: SharedArrayBuffer };
  readonly #counts: Float64Array;
  readonly #slots: Int32Array;
  readonly #slotsPerWorker: number;

  private constructor(buffers: Gauges["buffers"], slots: number) {
    this.buffers = buffers;
    this.#counts = new Float64Array(buffers.counts);
    this.#slots = new Int32Array(buffers.slots);
    this.#slotsPerWorker = slots;
  }

  static for(workers: number, slots: number): Gauges {
    const counts = new SharedArrayBuffer(workers * WIDTH * Float64Array.BYTES_PER_ELEMENT);
    return new Gauges(
      { counts, slots: new SharedArrayBuffer(2 * workers * slots * Int32Array.BYTES_PER_ELEMENT) },
      slots,
    );
  }

  static over(buffers: Gauges["buffers"], slots: number): Gauges {
    return new Gauges(buffers, slots);
  }

  /** Writes a worker's part. @param onToken called with each token, too */
  observer(worker: number, onToken: () => void): EngineObserver {
    const counts = this.#countsOf(worker);
    const slots = this.#slotsOf(worker);
    let stepTokens = 0;
    return {
      token: onToken,
      // Called between two steps, so the one before is complete.
      slots(rows, decoding) {
        if (stepTokens > 0) counts[STEPS + bucketOf(STEP_BOUNDS, stepTokens)]! += 1;
        stepTokens = 0;
        for (let slot = 0; slot < slots.length / 2; slot++) {
          const isUsed = slot < rows.length;
          slots[2 * slot] = isUsed ? (slot < decoding ? 2 : 1) : 0;
          slots[2 * slot + 1] = isUsed ? rows[slot]! : 0;
        }
      },
      prefilled(tokens) {
        counts[0]! += tokens;
        stepTokens += tokens;
      },
      wrote(ms) {
        counts[1]! += 1;
        stepTokens++;
        if (ms === null) return;
        counts[2]! += ms;
        counts[COUNTS + bucketOf(ITL_BOUNDS_MS, ms)]! += 1;
      },
    };
  }

  slots(worker: number): Slot[] {
    const slots = this.#slotsOf(worker);
    return Array.from({ length: slots.length / 2 }, (_, slot) => ({
      state: STATES[slots[2 * slot]!]!,
      tokens: slots[2 * slot + 1]!,
    }));
  }

  /** Of all workers together. */
  get counts(): WorkerCounts {
    const sum = new Array<number>(WIDTH).fill(0);
    for (const [i, count] of this.#counts.entries()) sum[i % WIDTH]! += count;
    const [prefilled, written, itlSumMs] = sum as [number, number, number];
    return { prefilled, written, itlSumMs, itl: sum.slice(COUNTS, STEPS), steps: sum.slice(STEPS) };
  }

  /** Notes that a worker is gone, with its sequences. */
  clear(worker: number): void {
    this.#slotsOf(worker).fill(0);
  }

  #countsOf(worker: number): Float64Array {
    return this.#counts.subarray(worker * WIDTH, (worker + 1) * WIDTH);
  }

  #slotsOf(worker: number): Int32Array {
    const width = 2 * this.#slotsPerWorker;
    return this.#slots.subarray(worker * width, (worker + 1) * width);
  }
}

/** Where the histogram of steps begins, after that of latencies. */
const STEPS = COUNTS + ITL_BOUNDS_MS.length + 1;
const WIDTH = STEPS + STEP_BOUNDS.length + 1;

function bucketOf(bounds: readonly number[], value: number): number {
  const bucket = bounds.findIndex((bound) => value <= bound);
  return bucket < 0 ? bounds.length : bucket;
}
