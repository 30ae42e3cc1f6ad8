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
/**
 * Parts of a place, which its workers take in turns. A worker that was given up may still write for a moment, or when its
 * native code returns: not into its successor's part, since nothing here is atomic.
 */
const PARTS = 4;
const STATES = ["idle", "prefill", "decode"] as const;

/**
 * What each worker does now and has done so far, for the main thread to read at any time.
 *
 * Shared memory. `counts` is float64 [places, parts, 3 + buckets]: tokens of prompts, tokens written, the sum of all
 * latencies, their histogram, and the histogram of the steps' tokens. `slots` is int32 [places, parts, slots, 2]: a slot's
 * state and tokens. `turns` is int32 [places]: how many workers have left each place. Each worker writes its own part
 * alone, so a reader may see a step half told, but no wrong number.
 */
export class Gauges {
  readonly buffers: { counts: SharedArrayBuffer; slots: SharedArrayBuffer; turns: SharedArrayBuffer };
  readonly #counts: Float64Array;
  readonly #slots: Int32Array;
  readonly #turns: Int32Array;
  readonly #slotsPerWorker: number;

  private constructor(buffers: Gauges["buffers"], slots: number) {
    this.buffers = buffers;
    this.#counts = new Float64Array(buffers.counts);
    this.#slots = new Int32Array(buffers.slots);
    this.#turns = new Int32Array(buffers.turns);
    this.#slotsPerWorker = slots;
  }

  static for(workers: number, slots: number): Gauges {
    const parts = workers * PARTS;
    const int32s = (length: number) => new SharedArrayBuffer(length * Int32Array.BYTES_PER_ELEMENT);
    const counts = new SharedArrayBuffer(parts * WIDTH * Float64Array.BYTES_PER_ELEMENT);
    return new Gauges({ counts, slots: int32s(2 * parts * slots), turns: int32s(workers) }, slots);
  }

  static over(buffers: Gauges["buffers"], slots: number): Gauges {
    return new Gauges(buffers, slots);
  }

  /** Writes the part of the worker that has the place now. @param onToken called with each token, too */
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

  /** Notes that a worker is gone, with its sequences. Its successor gets another part, and its counts stay. */
  clear(worker: number): void {
    Atomics.add(this.#turns, worker, 1);
    this.#slotsOf(worker).fill(0);
  }

  #countsOf(worker: number): Float64Array {
    const part = this.#partOf(worker);
    return this.#counts.subarray(part * WIDTH, (part + 1) * WIDTH);
  }

  #slotsOf(worker: number): Int32Array {
    const width = 2 * this.#slotsPerWorker;
    const part = this.#partOf(worker);
    return this.#slots.subarray(part * width, (part + 1) * width);
  }

  #partOf(worker: number): number {
    return worker * PARTS + (Atomics.load(this.#turns, worker) % PARTS);
  }
}

/** Where the histogram of steps begins, after that of latencies. */
const STEPS = COUNTS + ITL_BOUNDS_MS.length + 1;
const WIDTH = STEPS + STEP_BOUNDS.length + 1;

function bucketOf(bounds: readonly number[], value: number): number {
  const bucket = bounds.findIndex((bound) => value <= bound);
  return bucket < 0 ? bounds.length : bucket;
}
