import { chunkAt, padded } from "./cache/chunks.js";
import type { KvCache } from "./cache/kv-cache.js";
import { Prefixes } from "./cache/prefixes.js";
import type { Sequence } from "./sequence.js";

/**
 * Cap on the padded tokens of one prefill run, over all its sequences. Running sequences wait for a prefill, so a lone
 * newcomer's chunk is small. Where many come at once, a run takes dozens of chunks, which keeps the throughput.
 */
const PREFILL_BUDGET = 256;

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
  readonly #prefixes: Prefixes;
  /** By slot. */
  readonly #sequences: Sequence[] = [];
  #decoding = 0;
  #prefilledLast = false;
  #startedLast = false;
  #turns = 0;

  constructor(cache: KvCache) {
    this.#cache = cache;
    this.#prefixes = new Prefixes(cache);
  }

  get running(): readonly Sequence[] {
    return this.#sequences;
  }

  /** How many of the first slots decode. */
  get decoding(): number {
    return this.#decoding;
  }

  get freeSlots(): number {
    return this.#cache.slots - this.#sequences.length;
  }

  /**
   * Gives a sequence a free slot. If all rows of one belong to its prompt, it continues from them. Otherwise it gets
   * the slot that was unused for the longest time, with a copy of what another slot has of its prompt.
   */
  admit(sequence: Sequence): void {
    if (this.freeSlots === 0) throw new Error(`all ${this.#cache.slots} slots are taken`);
    const prompt = sequence.window;
    const slot = this.#sequences.length;
    const match = sequence.scoring ? null : this.#prefixes.find(prompt, 0);
    const continues = match && match.slot >= slot && this.#prefixes.covers(prompt, match.slot);
    const place = continues ? match.slot : this.#prefixes.oldest(slot);
    const rows = match?.slot === place ? match.rows : 0;
    this.#cache.truncate(place, rows);
    this.#swapRows(slot, place);
    this.#cache.take(slot);
    this.#prefixes.hold(slot, prompt);
    sequence.slot = slot;
    sequence.turn = this.#turns++;
    sequence.cachedTokens = rows;
    this.#sequences.push(sequence);
    this.#reuse(sequence);
    this.settle(sequence);
  }

  /** Drops a sequence's rows from the cache, and puts it behind all that wait for a prefill. */
  restart(sequence: Sequence): void {
    this.#cache.truncate(sequence.slot, 0);
    this.#prefixes.hold(sequence.slot, []);
    sequence.turn = this.#turns++;
  }

  /**
   * Moves a sequence to those that decode or those that prefill, by its pending ids. Call it whenever their number may
   * have changed.
   */
  settle(sequence: Sequence): void {
    const decodes = this.#pending(sequence) === 1;
    if (decodes && sequence.slot >= this.#decoding) {
      this.#swap(sequence.slot, this.#decoding++);
      this.#cache.pack();
    } else if (!decodes) this.#stopDecoding(sequence);
  }

  /** Frees a sequence's slot, which keeps the rows that another prompt can begin with until the slot is needed. */
  remove(sequence: Sequence): void {
    this.#cache.truncate(sequence.slot, this.#prefixes.rows(sequence.slot));
    this.#stopDecoding(sequence);
    const last = this.#sequences.length - 1;
    this.#swap(sequence.slot, last);
    this.#sequences.pop();
    this.#prefixes.touch(last);
    sequence.slot = -1;
  }

  /**
   * All sequences that decode, or some that prefill. The two take turns, so neither a stream of prompts nor the
   * running sequences can starve the other.
   */
  next(): Batch | null {
    const prefill = this.#decoding === 0 || !this.#prefilledLast ? this.#prefill() : null;
    this.#prefilledLast = prefill !== null;
    if (prefill || this.#decoding === 0) return prefill;
    const sequences = this.#sequences.slice(0, this.#decoding);
    return { sequences, chunk: 1, counts: sequences.map(() => 1) };
  }

  /**
   * The next chunk of the longest waiting, and of others whose chunks pad to the same length. New prompts take turns
   * with sequences that refill a window after it slid: at stride 1 those do so at every token.
   */
  #prefill(): Batch | null {
    const waiting = this.#sequences.slice(this.#decoding).sort((a, b) => a.turn - b.turn);
    const others = waiting.filter(({ started }) => started !== this.#startedLast);
    const sequences: Sequence[] = [];
    let chunk = 0;
    for (const sequence of others.length > 0 ? others : waiting) {
      if (sequences.length > 0 && (sequences.length + 1) * chunk > PREFILL_BUDGET) break;
      this.#reuse(sequence);
      this.settle(sequence);
      if (this.#pending(sequence) === 1) continue;
      const rows = padded(this.#count(sequence));
      // If sequences have the same next chunk, one computes it, and the others copy it in their turn.
      const computed =
        !sequence.scoring && sequences.some(({ slot }) => this.#prefixes.sharesChunk(sequence.slot, slot));
      if (computed || (chunk > 0 && rows !== chunk)) continue;
      chunk = rows;
      sequences.push(sequence);
    }
    if (sequences.length === 0) return null;
    this.#startedLast = sequences[0]!.started;
    for (const [i, sequence] of sequences.entries()) this.#swap(sequence.slot, this.#decoding + i);
    return { sequences, chunk, counts: sequences.map((sequence) => this.#count(sequence)) };
  }

  /** How many ids of a sequence its next prefill feeds. */
  #count(sequence: Sequence): number {
    return Math.min(chunkAt(this.#cache.lengths[sequence.slot]!), this.#pending(sequence));
  }

  /** Copies the rows of a sequence's prompt that another slot has and its own lacks. */
  #reuse(sequence: Sequence): void {
    // Cached rows come without the logits that scoring needs.
    if (sequence.scoring) return;
    const cached = this.#cache.lengths[sequence.slot]!;
    const match = this.#prefixes.find(this.#prefixes.ids(sequence.slot), cached);
    if (!match) return;
    this.#cache.extend(sequence.slot, match.slot, match.rows);
    this.#prefixes.touch(match.slot);
    sequence.cachedTokens += match.rows - cached;
  }

  #stopDecoding(sequence: Sequence): void {
    if (sequence.slot >= this.#decoding) return;
    this.#swap(sequence.slot, --this.#decoding);
    this.#cache.unpack();
  }

  #pending(sequence: Sequence): number {
    return sequence.pending(this.#cache.lengths[sequence.slot]!);
  }

  #swap(a: number, b: number): void {
    if (a === b) return;
    this.#swapRows(a, b);
    const sequence = this.#sequences[a]!;
    this.#place(this.#sequences[b]!, a);
    this.#place(sequence, b);
  }

  #swapRows(a: number, b: number): void {
    this.#cache.swap(a, b);
    this.#prefixes.swap(a, b);
  }

  #place(sequence: Sequence, slot: number): void {
    this.#sequences[slot] = sequence;
    sequence.slot = slot;
  }
}
