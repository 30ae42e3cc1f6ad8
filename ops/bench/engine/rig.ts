import { type ModelFolder, readModelFolder } from "../../../models/folder.js";
import { type ModelShape, modelShape } from "../../../models/shape.js";
import { KvCache } from "../../../workers/engine/cache/kv-cache.js";
import { Engine } from "../../../workers/engine/engine.js";
import { PLAIN_SAMPLING } from "../../../workers/engine/sampling/sampling.js";
import { Sequence } from "../../../workers/engine/sequence.js";
import { OnnxSession } from "../../../workers/onnx/session.js";
import type { FromSequence } from "../../../workers/protocol.js";
import { SAMPLING } from "../load/prompts.js";

/** A cache whose new slots can pretend that their sequences have been running for a while. */
class PresetCache extends KvCache {
  /** Number of tokens that a slot claims to hold when a sequence takes it. */
  preset = 0;

  override take(slot: number): void {
    super.take(slot);
    this.lengths[slot] = Math.max(this.lengths[slot]!, this.preset);
  }
}

/** The engine of one worker, without a server, pool or messages. */
export class Rig {
  readonly shape: ModelShape;
  readonly cache: PresetCache;
  readonly engine: Engine;

  private constructor(
    readonly model: ModelFolder,
    readonly session: OnnxSession,
    slots: number,
  ) {
    this.shape = modelShape(model.config);
    this.cache = new PresetCache(this.shape, slots);
    this.engine = new Engine(session, this.cache, this.shape.vocabulary);
  }

  /** @param slots how many sequences the cache has room for */
  static async open({ folder, threads, slots }: { folder: string; threads: number; slots: number }) {
    const model = readModelFolder(folder);
    const device = { device: "cpu", deviceId: 0, threads } as const;
    return new Rig(model, await OnnxSession.open(model.graphPath, modelShape(model.config), device), slots);
  }

  /** Adds a sequence to the engine, which starts it with its next step. */
  add(
    promptIds: readonly number[],
    maxTokens: number,
    seed: number,
    onEnd: (outcome: FromSequence) => void = () => {},
  ): Sequence {
    const { context } = this.shape;
    const sequence = new Sequence({
      promptIds,
      maxTokens,
      sampling: { ...PLAIN_SAMPLING, ...SAMPLING, seed: [seed, 0] },
      stop: [],
      eosIds: [],
      context,
      contextStride: Math.max(1, context >> 2),
      decoder: this.model.tokenizer,
      onEnd,
    });
    this.engine.add(sequence);
    return sequence;
  }

  /**
   * Adds `batch` sequences that decode from their first step on, each with `depth` tokens in the cache.
   * @throws if the engine's first step is not a decode step of all of them
   */
  async startAtDepth(batch: number, depth: number): Promise<Sequence[]> {
    this.cache.reserve(depth);
    // Write to the memory: unwritten pages all map to one page of zeros, which is read far faster than a real cache.
    for (const array of this.cache.views(0, batch, this.cache.capacity)) array.fill(0.01);
    this.cache.preset = depth;
    const ids = Array.from({ length: depth + 1 }, (_, i) => i % this.shape.vocabulary);
    const sequences = Array.from({ length: batch }, (_, seed) => this.add(ids, 2 ** 30, seed));
    await this.engine.step();
    this.cache.preset = 0;
    const behind = sequences.filter((sequence) => sequence.ids.length !== depth + 2);
    if (behind.length > 0)
      throw new Error(`expected a decode step of ${batch} sequences, got one of ${batch - behind.length}`);
    return sequences;
  }

  /** Cancels these sequences. */
  async clear(sequences: readonly Sequence[]): Promise<void> {
    for (const sequence of sequences) sequence.cancelled = true;
    await this.engine.run();
  }

  async close(): Promise<void> {
    await this.session.close();
  }
}
