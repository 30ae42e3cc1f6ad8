import { LOGIT_BLOCK } from "../../models/shape.js";
import type { KvCache } from "./cache/kv-cache.js";
import { type EngineObserver, UNOBSERVED } from "./observer.js";
import { type Rows, Runner } from "./runner.js";
import type { Row } from "./sampling/logit-row.js";
import { Logprobs } from "./sampling/logprobs.js";
import { Sampler } from "./sampling/sampler.js";
import { type Batch, Scheduler } from "./scheduler.js";
import type { Sequence } from "./sequence.js";
import type { StepSession } from "./step-session.js";

/**
 * Continuous batching: sequences join and leave between steps, and every step runs the model once for all that can
 * share the run.
 */
export class Engine {
  readonly #cache: KvCache;
  readonly #scheduler: Scheduler;
  readonly #runner: Runner;
  readonly #sampler: Sampler;
  readonly #logprobs: Logprobs;
  readonly #vocabulary: number;
  readonly #observer: EngineObserver;
  /** Added since the last step. A step awaits the model, and nothing may move in the cache meanwhile. */
  #arrivals: Sequence[] = [];
  #running = false;

  constructor(session: StepSession, cache: KvCache, vocabulary: number, observer = UNOBSERVED) {
    this.#cache = cache;
    this.#scheduler = new Scheduler(cache);
    this.#runner = new Runner(session, cache);
    this.#sampler = new Sampler(vocabulary);
    this.#logprobs = new Logprobs(vocabulary);
    this.#vocabulary = vocabulary;
    this.#observer = observer;
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
      // Reset right after the loop: a sequence that is added a moment later needs a call of its own.
      this.#running = false;
      this.#tellSlots();
    }
  }

  /** Schedule, run, sample, deliver. Sequences that end, are cancelled or fail have freed their slot when it returns. */
  async step(): Promise<void> {
    this.#removeCancelled();
    this.#admitArrivals();
    const batch = this.#scheduler.next();
    this.#tellSlots();
    if (!batch) return;
    let rows: Rows;
    try {
      rows = await this.#runner.run(batch);
    } catch (error) {
      for (const sequence of batch.sequences) this.#end(sequence, () => sequence.fail(error));
      return;
    }
    this.#deliver(batch, rows);
  }

  #deliver({ sequences, counts: fed }: Batch, { logits, maxima, counts }: Rows): void {
    const vocabulary = this.#vocabulary;
    const blocks = Math.ceil(vocabulary / LOGIT_BLOCK);
    const now = performance.now();
    let next = 0;
    for (const [i, sequence] of sequences.entries()) {
      if (!sequence.started) {
        sequence.computedTokens += fed[i]!;
        this.#observer.prefilled(fed[i]!);
      }
      const rows = Array.from({ length: counts[i]! }, (): Row => {
        const row = next++;
        return {
          logits: logits.subarray(row * vocabulary, (row + 1) * vocabulary),
          maxima: maxima.subarray(row * blocks, (row + 1) * blocks),
        };
      });
      const cached = this.#cache.lengths[sequence.slot]!;
      if (this.#take(sequence, rows, sequence.pending(cached) === 0 ? now : null)) continue;
      if (sequence.pending(cached) > 0 && cached === this.#cache.shape.context) {
        sequence.slide();
        this.#scheduler.restart(sequence);
      }
      this.#scheduler.settle(sequence);
    }
  }

  /**
   * Scores the prompt's tokens and, where all of the sequence has been read, draws the next. Returns whether that
   * ended the sequence.
   * @param now the time; null if there is more to read
   */
  #take(sequence: Sequence, rows: Row[], now: number | null): boolean {
    this.#observer.token();
    try {
      if (sequence.scoring) this.#score(sequence, rows);
      if (now === null || !this.#draw(sequence, rows.at(-1)!, now)) return false;
      this.#scheduler.remove(sequence);
    } catch (error) {
      this.#end(sequence, () => sequence.fail(error));
    }
    return true;
  }

  #score(sequence: Sequence, rows: Row[]): void {
    for (const row of rows) {
      const token = sequence.unscored;
      if (token !== undefined) sequence.score(this.#logprobs.read(row, token, sequence.logprobs ?? 0));
    }
  }

  /** Whether the sequence ended. */
  #draw(sequence: Sequence, row: Row, now: number): boolean {
    if (sequence.concludes()) return true;
    this.#observer.wrote(sequence.wroteAt === null ? null : now - sequence.wroteAt);
    sequence.wroteAt = now;
    const { sampling, ids, logprobs } = sequence;
    const token = this.#sampler.sample(row, sampling, ids.length, sequence.restraints());
    if (logprobs === null) return sequence.push(token);
    return sequence.push(token, this.#logprobs.read(row, token, logprobs));
  }

  #tellSlots(): void {
    const { running, decoding } = this.#scheduler;
    const { lengths } = this.#cache;
    this.#observer.slots(
      running.map(({ slot }) => lengths[slot]!),
      decoding,
    );
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
