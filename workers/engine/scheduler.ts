import { type KvCache, roundUp } from "./kv-cache.js";
import type { Sequence } from "./sequence.js";

/**
 * Tokens of a prompt that one run prefills at most. A sequence's chunks begin at multiples of it, counted from its
 * window's start, whatever else runs: where a chunk ends decides in which order sums are taken, so the last bits.
 */
export const PREFILL_CHUNK = 64;
/** Chunks are padded to a multiple of a vector register of float32, so that the padding changes no bit of a sum. */
const CHUNK_UNIT = 16;
/** Padded tokens of one prefill run at most, over all its sequences: it is what running sequences wait for. */
const PREFILL_BUDGET = 128;

/** The sequences of one run, in neighbouring slots, and how many ids each feeds. */
export interface Batch {
  sequences: Sequence[];
  /** Rows of each sequence in the run; those past a sequence's own count are padding. */
  chunk: number;
  counts: number[];
}

/**
 * Decides what the next step runs, and keeps the slots in order: sequences that decode lie first, those that prefill
 * behind them, free slots last. So either kind is one contiguous piece of the cache.
 */
export class Scheduler {
  readonly #cache: KvCache;
  /** By slot. */
  readonly #sequences: Sequence[] = [];
  #decoding = 0;
  #prefilledLast = false;
  #startedLast = false;
  #tickets = 0;

  constructor(cache: KvCache) {
    this.#cache = cache;
  }

  get running(): readonly Sequence[] {
    return this.#sequences;
  }

  get freeSlots(): number {
    return this.#cache.slots - this.#sequences.length;
  }

  admit(sequence: Sequence): void {
    if (this.freeSlots === 0) throw new Error(`all ${this.#cache.slots} slots are taken`);
    sequence.slot = this.#sequences.length;
    this.#sequences.push(sequence);
    this.restart(sequence);
    this.settle(sequence);
  }

  /** Forgets what the cache holds of a sequence, which takes its turn behind all that wait for a prefill now. */
  restart(sequence: Sequence): void {
    this.#cache.clear(sequence.slot);
    sequence.ticket = this.#tickets++;
  }

  /** Moves a sequence to where its pending ids put it; to be called whenever their number may have changed. */
  settle(sequence: Sequence): void {
    const decodes = this.#pending(sequence) === 1;
    if (decodes && sequence.slot >= this.#decoding) this.#swap(sequence.slot, this.#decoding++);
    else if (!decodes && sequence.slot < this.#decoding) this.#swap(sequence.slot, --this.#decoding);
  }

  remove(sequence: Sequence): void {
    let hole = sequence.slot;
    if (hole < this.#decoding) {
      this.#move(--this.#decoding, hole);
      hole = this.#decoding;
    }
    this.#move(this.#sequences.length - 1, hole);
    this.#sequences.pop();
    this.#cache.clear(this.#sequences.length);
    sequence.slot = -1;
  }

  /**
   * All sequences that decode, or some that prefill. The two take turns, so neither a stream of prompts nor the
   * running sequences can starve the other.
   */
  next(): Batch | null {
    const prefills = this.#sequences.length > this.#decoding;
    this.#prefilledLast = prefills && (this.#decoding === 0 || !this.#prefilledLast);
    if (this.#prefilledLast) return this.#prefill();
    if (this.#decoding === 0) return null;
    const sequences = this.#sequences.slice(0, this.#decoding);
    return { sequences, chunk: 1, counts: sequences.map(() => 1) };
  }

  /**
   * The longest waiting, and others whose chunks pad to the same length. New prompts and sequences that started and fill
   * a window anew take turns: at stride 1 the latter do so at every token.
   */
  #prefill(): Batch {
    const waiting = this.#sequences.slice(this.#decoding).sort((a, b) => a.ticket - b.ticket);
    const others = waiting.filter(({ started }) => started !== this.#startedLast);
    const [first, ...rest] = (others.length > 0 ? others : waiting) as [Sequence, ...Sequence[]];
    this.#startedLast = first.started;

    const count = (sequence: Sequence) => Math.min(PREFILL_CHUNK, this.#pending(sequence));
    const chunk = roundUp(count(first), CHUNK_UNIT);
    const alike = rest.filter(
      (sequence) => sequence.started === first.started && roundUp(count(sequence), CHUNK_UNIT) === chunk,
    );
    const sequences = [first, ...alike.slice(0, Math.max(1, Math.floor(PREFILL_BUDGET / chunk)) - 1)];
    for (const [i, sequence] of sequences.entries()) this.#swap(sequence.slot, this.#decoding + i);
    return { sequences, chunk, counts: sequences.map(count) };
  }

  #pending(sequence: Sequence): number {
    return sequence.pending(this.#cache.lengths[sequence.slot]!);
  }

  #swap(a: number, b: number): void {
    if (a === b) return;
    this.#cache.swap(a, b);
    const sequence = this.#sequences[a]!;
    this.#place(this.#sequences[b]!, a);
    this.#place(sequence, b);
  }

  #move(from: number, to: number): void {
    if (from === to) return;
    this.#cache.move(from, to);
    this.#place(this.#sequences[from]!, to);
  }

  #place(sequence: Sequence, slot: number): void {
    this.#sequences[slot] = sequence;
    sequence.slot = slot;
  }
}
