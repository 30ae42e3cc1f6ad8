import type { ModelShape } from "../../models/shape.js";
import { KvCache } from "./cache/kv-cache.js";
import type { StepSession } from "./step-session.js";

/** How a text is fed to a model. */
export interface Cut {
  /** Tokens of each run; the last may have fewer. */
  chunk: number;
  /** Texts in the batch. */
  batch?: number;
  /** Whether the cache has room for the whole context from the start, or for `WIDEST` positions of it. */
  wide?: boolean;
}

/** Result of comparing a model's logits for one text, cut in many ways. */
export interface Exactness {
  cuts: number;
  /** Logits that were compared. */
  logits: number;
  /** Those of them that have other bits than in the first cut. */
  differing: number;
}

/** Cuts that import tries: tokens one by one, chunks of 2 to 40, all at once; a wide cache; batches. */
export const ALL_CUTS: readonly Cut[] = [
  ...Array.from({ length: 40 }, (_, i) => ({ chunk: i + 1 })),
  { chunk: Number.POSITIVE_INFINITY },
  { chunk: 1, wide: true },
  { chunk: 11, wide: true },
  { chunk: 1, batch: 3 },
  { chunk: 6, batch: 2 },
];

/**
 * Cuts that import tries on a longer text. Rare differences show where sums are long: with attention's sum in floats five of six
 * texts of 250 ids differed in some of these cuts, and two of six texts of 64.
 */
export const SOME_CUTS: readonly Cut[] = [
  { chunk: 1 },
  { chunk: 2 },
  { chunk: 5 },
  { chunk: 16 },
  { chunk: Number.POSITIVE_INFINITY },
  { chunk: Number.POSITIVE_INFINITY, wide: true },
  { chunk: 1, batch: 3 },
  { chunk: 6, batch: 2 },
];

/** Cuts that a server tries at its start, in milliseconds: on another CPU a kernel may behave in another way. */
export const FEW_CUTS: readonly Cut[] = [
  { chunk: 1 },
  { chunk: 5 },
  { chunk: Number.POSITIVE_INFINITY, wide: true },
  { chunk: 1, batch: 3 },
];

/**
 * Positions that a wide cache has room for at most. A server's memory isn't planned for this trial, and over 131,072 positions
 * the scores of a few rows alone take gigabytes in a large model.
 */
const WIDEST = 1024;

/** A text of ids that lie far apart: they show what the next tokens of prose may hide. */
export function scattered(length: number, vocabulary: number): Int32Array {
  // A prime that doesn't divide the vocabulary.
  const step = vocabulary % 7919 === 0 ? 7907 : 7919;
  return Int32Array.from({ length }, (_, i) => (i * step) % vocabulary);
}

/** Feeds a text to a model in many ways, and compares the logits of every token with those of the first way. */
export async function compareCuts(
  session: StepSession,
  shape: ModelShape,
  ids: Int32Array,
  cuts: readonly Cut[],
  onProgress: (share: number) => void = () => {},
): Promise<Exactness> {
  const result: Exactness = { cuts: cuts.length, logits: 0, differing: 0 };
  const [first, ...others] = cuts as [Cut, ...Cut[]];
  const expected = await read(session, shape, ids, first);
  for (const [i, cut] of others.entries()) {
    const actual = await read(session, shape, ids, cut);
    for (const [at, bits] of expected.entries()) if (bits !== actual[at]) result.differing++;
    result.logits += expected.length;
    onProgress((i + 1) / others.length);
  }
  return result;
}

/** The bits of each token's logits: int32 [ids, vocabulary]. */
async function read(
  session: StepSession,
  shape: ModelShape,
  ids: Int32Array,
  { chunk, batch = 1, wide = false }: Cut,
): Promise<Int32Array> {
  const { vocabulary } = shape;
  const context = Math.min(shape.context, Math.max(WIDEST, ids.length));
  const cache = new KvCache({ ...shape, context }, batch);
  for (let text = 0; text < batch; text++) cache.pack();
  // The text lies between others, which begin elsewhere in it.
  const probe = Math.floor(batch / 2);
  const bits = new Int32Array(ids.length * vocabulary);
  for (let from = 0; from < ids.length; from += chunk) {
    const count = Math.min(chunk, ids.length - from);
    const inputIds = Int32Array.from({ length: batch * count }, (_, i) => {
      // Whole texts more keep it positive.
      const shift = (Math.floor(i / count) - probe + ids.length) * 7;
      return ids[(from + (i % count) + shift) % ids.length]!;
    });
    const { capacity, arrays: past } = cache.past(0, batch, wide ? context : from + count);
    const lastRows = Int32Array.from({ length: count }, (_, i) => probe * count + i);
    const { logits, present } = await session.run({
      ...{ batch, chunk: count, capacity, inputIds, lastRows, past },
      pastLengths: cache.lengths,
    });
    bits.set(new Int32Array(logits.buffer, logits.byteOffset, logits.length), from * vocabulary);
    cache.append(0, new Array<number>(batch).fill(count), count, present);
  }
  return bits;
}
