import type { Grid } from "./cache/grid.js";
import type { KvCache } from "./cache/kv-cache.js";
import { Prefixes, type Text } from "./cache/prefixes.js";
import { Pace } from "./pace.js";
import type { Sequence } from "./sequence.js";

/**
 * Cap on the rows of one prefill run over the fixed grid. Running sequences wait for a prefill, so a lone newcomer's chunk is
 * small. Where many come at once, a run takes dozens of chunks, which keeps the throughput.
 */
const FIXED_BUDGET = 256;
const NOTHING: Text = { ids: [], start: 0, caller: "" };

/** The sequences of one run, in neighbouring slots, and how many ids each feeds. */
export interface Batch {
  decodes: boolean;
  sequences: Sequence[];
  /** Rows of each sequence in the run; those past a sequence's own count are padding. */
  chunk: number;
  counts: number[];
  /** Of a decode step: tokens that may come next for each sequence, fed behind its last. */
  drafts?: readonly (readonly number[])[];
}

/**
 * Decides what the next step runs, and keeps the slots in order: sequences that decode lie first, those that prefill
 * behind them, free slots last. So either kind is one contiguous piece of the cache.
 */
export class Scheduler {
  readonly #cache: KvCache;
  readonly #prefixes: Prefixes;
  readonly #grid: Grid;
  readonly #most: number;
  readonly #pace = new Pace();
  /** By slot. */
  readonly #sequences: Sequence[] = [];
  #decoding = 0;
  #prefilledLast = false;
  #startedLast = false;
  #turns = 0;

  /** @param most sequences at once; further slots of the cache only keep prefixes */
  constructor(cache: KvCache, grid: Grid, most: number) {
    this.#cache = cache;
    this.#grid = grid;
    this.#most = most;
    this.#prefixes = new Prefixes(cache, grid);
  }

  get running(): readonly Sequence[] {
    return this.#sequences;
  }

  /** How many of the first slots decode. */
  get decoding(): number {
    return this.#decoding;
  }

  get freeSlots(): number {
    return this.#most - this.#sequences.length;
  }

  /**
   * Gives a sequence a free slot. If all rows of one belong to its prompt, it continues from them. Otherwise it gets
   * the slot that was unused for the longest time, with a copy of what another slot has of its prompt.
   */
  admit(sequence: Sequence): void {
    if (this.freeSlots === 0) throw new Error(`all ${this.#most} slots are taken`);
    const text = this.#textOf(sequence);
    const slot = this.#sequences.length;
    const match = sequence.scoring ? null : this.#prefixes.find(text, 0);
    const continues = match && match.slot >= slot && this.#prefixes.covers(text, match.slot);
    const place = continues ? match.slot : this.#prefixes.oldest(slot);
    const rows = match?.slot === place ? match.rows : 0;
    this.#cache.truncate(place, rows);
    this.#swapRows(slot, place);
    this.#cache.take(slot);
    this.#prefixes.hold(slot, text);
    sequence.slot = slot;
    sequence.turn = this.#turns++;
    sequence.cachedTokens = sequence.started ? 0 : rows;
    this.#sequences.push(sequence);
    this.#reuse(sequence);
    this.settle(sequence);
  }

  /** Drops a sequence's rows from the cache, and puts it behind all that wait for a prefill. */
  restart(sequence: Sequence): void {
    this.#cache.truncate(sequence.slot, 0);
    this.#prefixes.hold(sequence.slot, this.#grid.keepsGenerated ? this.#textOf(sequence) : NOTHING);
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
    return { decodes: true, sequences, chunk: 1, counts: sequences.map(() => 1) };
  }

  /** Takes the time of a run. */
  took(ms: number, { decodes, chunk, sequences }: Batch): void {
    if (decodes) this.#pace.decoded(ms);
    else this.#pace.prefilled(ms, chunk * sequences.length);
  }

  /**
   * The next chunk of the longest waiting, and of others that can share its run. New prompts take turns with sequences that
   * refill a window after it slid: at stride 1 those do so at every token.
   */
  #prefill(): Batch | null {
    const waiting = this.#sequences.slice(this.#decoding).sort((a, b) => a.turn - b.turn);
    const others = waiting.filter(({ started }) => started !== this.#startedLast);
    const budget = this.#grid.isFree ? this.#pace.rows(this.#decoding, waiting.length) : FIXED_BUDGET;
    const sequences: Sequence[] = [];
    const counts: number[] = [];
    let chunk = 0;
    for (const sequence of others.length > 0 ? others : waiting) {
      if (sequences.length > 0 && (sequences.length + 1) * chunk > budget) break;
      this.#reuse(sequence);
      this.settle(sequence);
      if (this.#pending(sequence) === 1) continue;
      const count = this.#count(sequence, chunk === 0 ? budget : chunk);
      if (chunk > 0 && !this.#fits(count, chunk)) continue;
      // If sequences have the same next rows, one computes them, and the others copy them in their turn.
      const isComputed = (other: Sequence, i: number) =>
        this.#prefixes.awaits(sequence.slot, other.slot, counts[i]!);
      if (!sequence.scoring && sequences.some(isComputed)) continue;
      if (chunk === 0) chunk = this.#grid.padded(count);
      sequences.push(sequence);
      counts.push(count);
    }
    if (sequences.length === 0) return null;
    this.#startedLast = sequences[0]!.started;
    for (const [i, sequence] of sequences.entries()) this.#swap(sequence.slot, this.#decoding + i);
    return { decodes: false, sequences, chunk, counts };
  }

  /** Whether a run of `chunk` rows is not mostly padding for a sequence that feeds `count`. */
  #fits(count: number, chunk: number): boolean {
    return this.#grid.isFree ? 2 * count > chunk : this.#grid.padded(count) === chunk;
  }

  /** How many ids of a sequence its next prefill feeds. */
  #count(sequence: Sequence, most: number): number {
    return Math.min(this.#grid.chunk(this.#cache.lengths[sequence.slot]!, most), this.#pending(sequence));
  }

  /** The text whose rows a sequence's slot is to hold, as far as others can take them over. */
  #textOf({ ids, prompt, windowStart, caller }: Sequence): Text {
    return { ids: this.#grid.keepsGenerated ? ids : prompt, start: windowStart, caller };
  }

  /** Copies the rows of a sequence's prompt that another slot has and its own lacks. */
  #reuse(sequence: Sequence): void {
    // Cached rows come without the logits that scoring needs.
    if (sequence.scoring) return;
    const cached = this.#cache.lengths[sequence.slot]!;
    const match = this.#prefixes.find(this.#prefixes.text(sequence.slot), cached);
    if (!match) return;
    this.#cache.extend(sequence.slot, match.slot, match.rows);
    this.#prefixes.touch(match.slot);
    // A window that is refilled is no prompt.
    if (!sequence.started) sequence.cachedTokens += match.rows - cached;
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
