import { LOGIT_BLOCK } from "../../models/shape.js";
import { type Grid, gridOf } from "./cache/grid.js";
import type { KvCache } from "./cache/kv-cache.js";
import { type EngineObserver, UNOBSERVED } from "./observer.js";
import { type Rows, Runner } from "./runner.js";
import type { Row } from "./sampling/logit-row.js";
import { Logprobs } from "./sampling/logprobs.js";
import { Sampler } from "./sampling/sampler.js";
import { type Batch, Scheduler } from "./scheduler.js";
import type { Sequence } from "./sequence.js";
import { Speculation } from "./speculation/speculation.js";
import type { StepSession } from "./step-session.js";

export interface EngineOptions {
  observer?: EngineObserver;
  /** Sequences at once; further slots of the cache only keep prefixes. Default: all slots. */
  most?: number;
  /** How prompts are cut. Default: that of the model's precision. */
  grid?: Grid;
  /** Drafts tokens, on a free grid; elsewhere their rows could have other bits than those of plain decoding. */
  speculation?: Speculation;
}

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
  readonly #speculation: Speculation | null;
  readonly #vocabulary: number;
  readonly #observer: EngineObserver;
  /** Added since the last step. A step awaits the model, and nothing may move in the cache meanwhile. */
  #arrivals: Sequence[] = [];
  #running = false;

  constructor(
    session: StepSession,
    cache: KvCache,
    vocabulary: number,
    {
      observer = UNOBSERVED,
      most = cache.slots,
      grid = gridOf(cache.shape),
      speculation = new Speculation(),
    }: EngineOptions = {},
  ) {
    this.#cache = cache;
    this.#scheduler = new Scheduler(cache, grid, most);
    this.#speculation = grid.isFree ? speculation : null;
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
    const start = performance.now();
    const batch = this.#drafted(this.#scheduler.next());
    this.#tellSlots();
    if (!batch) return;
    let rows: Rows;
    try {
      rows = await this.#runner.run(batch);
    } catch (error) {
      for (const sequence of batch.sequences) this.#end(sequence, () => sequence.fail(error));
      return;
    }
    const now = performance.now();
    this.#scheduler.took(now - start, batch);
    const accepted = this.#deliver(batch, rows, now);
    const { decodes, sequences, chunk } = batch;
    if (decodes)
      this.#speculation?.took(
        performance.now() - start,
        sequences.length,
        chunk,
        sequences.length + accepted,
      );
  }

  /** The same batch, with drafts if it decodes and they pay. */
  #drafted(batch: Batch | null): Batch | null {
    if (!batch?.decodes || !this.#speculation) return batch;
    const { context } = this.#cache.shape;
    const rooms = batch.sequences.map(({ slot, left }) =>
      Math.min(left - 1, context - this.#cache.lengths[slot]! - 1),
    );
    const drafts = this.#speculation.draft(batch.sequences, rooms);
    if (!drafts) return batch;
    const counts = drafts.map(({ length }) => 1 + length);
    return { ...batch, drafts, counts, chunk: Math.max(...counts) };
  }

  /** Returns how many drafted tokens came true. */
  #deliver({ sequences, counts: fed, drafts }: Batch, { logits, maxima, counts }: Rows, now: number): number {
    const vocabulary = this.#vocabulary;
    const blocks = Math.ceil(vocabulary / LOGIT_BLOCK);
    let next = 0;
    let accepted = 0;
    for (const [i, sequence] of sequences.entries()) {
      const draft = drafts?.[i] ?? [];
      if (!sequence.started) {
        // A draft's tokens are none of the prompt's.
        const computed = fed[i]! - draft.length;
        sequence.computedTokens += computed;
        this.#observer.prefilled(computed);
      }
      const rows = Array.from({ length: counts[i]! }, (): Row => {
        const row = next++;
        return {
          logits: logits.subarray(row * vocabulary, (row + 1) * vocabulary),
          maxima: maxima.subarray(row * blocks, (row + 1) * blocks),
        };
      });
      const before = sequence.acceptedTokens;
      const ended = this.#take(sequence, rows, draft, now);
      const cameTrue = sequence.acceptedTokens - before;
      if (draft.length > 0) this.#speculation!.judge(sequence, i, draft.length, cameTrue);
      accepted += cameTrue;
      if (ended) continue;
      const cached = this.#cache.lengths[sequence.slot]!;
      if (sequence.pending(cached) > 0 && cached === this.#cache.shape.context) {
        sequence.slide();
        this.#scheduler.restart(sequence);
      }
      this.#scheduler.settle(sequence);
    }
    return accepted;
  }

  /**
   * Scores the prompt's tokens and, where all of the sequence has been read, draws the next ones. Returns whether that
   * ended the sequence.
   */
  #take(sequence: Sequence, rows: Row[], draft: readonly number[], now: number): boolean {
    this.#observer.token();
    try {
      if (sequence.scoring) this.#score(sequence, rows);
      const isRead = sequence.pending(this.#cache.lengths[sequence.slot]!) <= 0;
      if (!isRead) return false;
      const ended =
        draft.length > 0
          ? this.#drawDrafted(sequence, rows, draft, now)
          : this.#draw(sequence, rows.at(-1)!, now);
      if (!ended) return false;
      this.#leave(sequence);
    } catch (error) {
      this.#end(sequence, () => sequence.fail(error));
    }
    return true;
  }

  /** Draws from one row after the other as long as the drafted tokens come true. Returns whether the sequence ended. */
  #drawDrafted(sequence: Sequence, rows: readonly Row[], draft: readonly number[], now: number): boolean {
    sequence.draftedTokens += draft.length;
    try {
      for (const [i, row] of rows.entries()) {
        const accepted = sequence.acceptedTokens;
        if (this.#draw(sequence, row, now, draft[i])) return true;
        if (sequence.acceptedTokens === accepted) break;
      }
      return false;
    } finally {
      // The last token has no row yet, whatever was fed in its place.
      this.#cache.truncate(sequence.slot, sequence.ids.length - sequence.windowStart - 1);
    }
  }

  #score(sequence: Sequence, rows: Row[]): void {
    for (const row of rows) {
      const token = sequence.unscored;
      if (token !== undefined) sequence.score(this.#logprobs.read(row, token, sequence.logprobs ?? 0));
    }
  }

  /** Whether the sequence ended. @param drafted the token that was expected, if any */
  #draw(sequence: Sequence, row: Row, now: number, drafted?: number): boolean {
    if (sequence.concludes()) return true;
    this.#observer.wrote(sequence.wroteAt === null ? null : now - sequence.wroteAt);
    sequence.wroteAt = now;
    const { sampling, ids, logprobs } = sequence;
    const token = this.#sampler.sample(row, sampling, ids.length, sequence.restraints());
    // Before it may end the sequence, whose outcome counts it.
    if (token === drafted) sequence.acceptedTokens++;
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
    this.#leave(sequence);
    deliver();
  }

  #leave(sequence: Sequence): void {
    this.#speculation?.remember(sequence);
    this.#scheduler.remove(sequence);
  }
}
