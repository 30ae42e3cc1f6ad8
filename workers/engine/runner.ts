import type { KvCache } from "./cache/kv-cache.js";
import type { Batch } from "./scheduler.js";
import type { StepOutputs, StepSession } from "./step-session.js";

/** A batch's rows of logits, in its order. */
export interface Rows extends Pick<StepOutputs, "logits" | "maxima"> {
  /** How many of them each sequence has. */
  counts: number[];
}

/** Runs a batch through the model and appends its new rows to the cache. */
export class Runner {
  readonly #session: StepSession;
  readonly #cache: KvCache;

  constructor(session: StepSession, cache: KvCache) {
    this.#session = session;
    this.#cache = cache;
  }

  /**
   * Returns a row for each sequence that has nothing pending afterwards. A sequence whose prompt is scored, or that has a
   * draft, has a row for each token that was fed.
   */
  async run({ sequences, chunk, counts, drafts }: Batch): Promise<Rows> {
    const cache = this.#cache;
    const first = sequences[0]!.slot;
    const batch = sequences.length;
    const inputIds = new Int32Array(batch * chunk);
    const lastRows: number[] = [];
    const rows: number[] = [];
    let longest = 0;
    for (const [i, sequence] of sequences.entries()) {
      const cached = cache.lengths[sequence.slot]!;
      const count = counts[i]!;
      const draft = drafts?.[i];
      const { ids, windowStart } = sequence;
      for (let j = 0; j < count; j++) {
        const place = windowStart + cached + j;
        inputIds[i * chunk + j] = ids[place] ?? draft![place - ids.length]!;
      }
      const wanted = sequence.scoring || draft ? count : sequence.pending(cached) === count ? 1 : 0;
      for (let j = count - wanted; j < count; j++) lastRows.push(i * chunk + j);
      rows.push(wanted);
      longest = Math.max(longest, cached + count);
    }
    const { capacity, arrays: past } = cache.past(first, batch, longest);
    const { logits, maxima, present } = await this.#session.run({
      batch,
      chunk,
      capacity,
      inputIds,
      pastLengths: cache.lengths.subarray(first, first + batch),
      // The head is the largest product, so only rows whose logits are needed go through it.
      lastRows: Int32Array.from(lastRows),
      past,
    });
    cache.append(first, counts, chunk, present);
    return { logits, maxima, counts: rows };
  }
}
