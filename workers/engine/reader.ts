import type { ModelShape } from "../../models/shape.js";
import { KvCache } from "./cache/kv-cache.js";
import type { StepOutputs, StepSession } from "./step-session.js";

/** Feeds texts of equal length to a step graph, side by side, and keeps their cache. Nothing is scheduled or sampled. */
export class Reader {
  readonly #session: StepSession;
  readonly #cache: KvCache;
  readonly #texts: number;

  constructor(session: StepSession, shape: ModelShape, texts: number) {
    this.#session = session;
    this.#texts = texts;
    this.#cache = new KvCache(shape, texts);
    for (let text = 0; text < texts; text++) this.#cache.pack();
  }

  /**
   * Runs the next ids of every text.
   * @param ids int32 [texts, chunk]; the texts must stay within the context
   * @param rows how many of each text's last positions to give the logits of
   * @returns the run's outputs, with logits float32 [texts * rows, vocabulary]
   */
  async read(ids: Int32Array, rows = 1): Promise<StepOutputs> {
    const batch = this.#texts;
    const chunk = ids.length / batch;
    const cache = this.#cache;
    const { capacity, arrays: past } = cache.past(0, batch, cache.lengths[0]! + chunk);
    const outputs = await this.#session.run({
      batch,
      chunk,
      capacity,
      inputIds: ids,
      pastLengths: cache.lengths,
      lastRows: Int32Array.from(
        { length: batch * rows },
        (_, i) => Math.floor(i / rows) * chunk + chunk - rows + (i % rows),
      ),
      past,
    });
    cache.append(0, new Array<number>(batch).fill(chunk), chunk, outputs.present);
    return outputs;
  }
}

/**
 * Reads a prompt in two runs, the second of which feeds the last id alone, against the cache of the others: both kinds of
 * run that a server makes.
 * @returns float32 [vocabulary] after each run; after the last alone where there is but one id
 */
export async function readPrompt(
  session: StepSession,
  shape: ModelShape,
  ids: Int32Array,
): Promise<Float32Array[]> {
  const reader = new Reader(session, shape, 1);
  const results: Float32Array[] = [];
  for (const part of [ids.subarray(0, -1), ids.subarray(-1)])
    if (part.length > 0) results.push((await reader.read(part)).logits);
  return results;
}
