import type { KvCache } from "./kv-cache.js";
import { Runner, type StepSession } from "./runner.js";
import { Sampler } from "./sampler.js";
import { type Batch, Scheduler } from "./scheduler.js";
import type { Sequence } from "./sequence.js";

type Outputs = Awaited<ReturnType<Runner["run"]>>;

/**
 * Continuous batching: sequences join and leave between steps, and every step runs the model once for all that can
 * share the run.
 */
export class Engine {
  readonly #cache: KvCache;
  readonly #scheduler: Scheduler;
  readonly #runner: Runner;
  readonly #sampler: Sampler;
  readonly #vocabulary: number;
  /** Added since the last step. A step awaits the model, and nothing may move in the cache meanwhile. */
  #arrivals: Sequence[] = [];
  #running = false;

  constructor(session: StepSession, cache: KvCache, vocabulary: number) {
    this.#cache = cache;
    this.#scheduler = new Scheduler(cache);
    this.#runner = new Runner(session, cache);
    this.#sampler = new Sampler(vocabulary);
    this.#vocabulary = vocabulary;
  }

  get idle(): boolean {
    return this.size === 0;
  }

  /** Sequences that hold a slot or wait for the next step to get one. */
  get size(): number {
    return this.#arrivals.length + this.#scheduler.running.length;
  }

  add(sequence: Sequence): void {
    this.#arrivals.push(sequence);
  }

  /** Steps until nothing is left; does nothing while another call is at it. */
  async run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      while (!this.idle) await this.step();
    } finally {
      // At once with the loop's end: what is added a moment later has to be stepped by its own call.
      this.#running = false;
    }
  }

  /** Schedule, run, sample, deliver. Sequences that end, are cancelled or fail have freed their slot when it returns. */
  async step(): Promise<void> {
    this.#removeCancelled();
    this.#admitArrivals();
    const batch = this.#scheduler.next();
    if (!batch) return;
    let outputs: Outputs;
    try {
      outputs = await this.#runner.run(batch);
    } catch (error) {
      for (const sequence of batch.sequences) this.#end(sequence, () => sequence.fail(messageOf(error)));
      return;
    }
    this.#sampleAll(batch, outputs);
  }

  #sampleAll({ sequences }: Batch, { logits, maxima }: Outputs): void {
    const blocks = maxima.length / sequences.length;
    for (const [i, sequence] of sequences.entries()) {
      const cached = this.#cache.lengths[sequence.slot]!;
      if (sequence.pending(cached) === 0) {
        const row = logits.subarray(i * this.#vocabulary, (i + 1) * this.#vocabulary);
        if (this.#sample(sequence, row, maxima.subarray(i * blocks, (i + 1) * blocks))) continue;
        if (cached === this.#cache.shape.context) {
          sequence.slide();
          this.#scheduler.restart(sequence);
        }
      }
      this.#scheduler.settle(sequence);
    }
  }

  /** Whether the sequence ended with the token that it drew. */
  #sample(sequence: Sequence, logits: Float32Array, maxima: Float32Array): boolean {
    try {
      const token = this.#sampler.sample(logits, maxima, sequence.sampling, sequence.ids.length);
      if (!sequence.push(token)) return false;
      this.#scheduler.remove(sequence);
    } catch (error) {
      this.#end(sequence, () => sequence.fail(messageOf(error)));
    }
    return true;
  }

  #removeCancelled(): void {
    for (const sequence of this.#scheduler.running.filter(({ cancelled }) => cancelled)) {
      this.#end(sequence, () => sequence.cancel());
    }
  }

  #admitArrivals(): void {
    const arrivals = this.#arrivals;
    this.#arrivals = [];
    for (const sequence of arrivals) {
      if (sequence.cancelled) sequence.cancel();
      else if (this.#scheduler.freeSlots > 0) this.#scheduler.admit(sequence);
      else this.#arrivals.push(sequence);
    }
  }

  #end(sequence: Sequence, deliver: () => void): void {
    this.#scheduler.remove(sequence);
    deliver();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
