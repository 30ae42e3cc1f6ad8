import { rm } from "node:fs/promises";
import { join } from "node:path";
import { KvCache } from "../../workers/engine/kv-cache.js";
import { uniform } from "../../workers/engine/philox.js";
import type { StepOutputs } from "../../workers/engine/runner.js";
import { Sampler } from "../../workers/engine/sampler.js";
import { PLAIN_SAMPLING } from "../../workers/engine/sampling.js";
import { OnnxSession } from "../../workers/onnx/session.js";
import type { ModelConfig } from "../folder.js";
import { modelShape } from "../shape.js";
import { buildObservedGraph } from "./graph.js";
import { writeModel } from "./onnx.js";
import type { Range } from "./quantize.js";
import type { GptWeights } from "./weights.js";

/** Texts that are written side by side, and how long they get, in tokens; more text widens the ranges by little. */
const TEXTS = 8;
const LENGTH = 256;
const SEED: readonly [number, number] = [0x6a6169, 0];

/**
 * Finds between which numbers the input of each matrix product lies, in the order of the graph's products: the float32
 * model runs over tokens drawn at random, which stand for prompts of every kind, and goes on from there with text of its
 * own, which is as near to what it was trained on as can be had without the corpus. The same weights give the same ranges.
 * @param folder where the float32 graph may lie meanwhile
 */
export async function calibrate(
  weights: GptWeights,
  config: ModelConfig,
  folder: string,
): Promise<readonly Range[]> {
  const file = join(folder, "observed.onnx");
  try {
    await writeModel(file, buildObservedGraph(weights, config));
    return await observe(file, config);
  } finally {
    for (const part of [file, `${file}_data`]) await rm(part, { force: true });
  }
}

async function observe(file: string, config: ModelConfig): Promise<readonly Range[]> {
  const shape = modelShape({ ...config, precision: "fp32" });
  const { context, vocabulary } = shape;
  const session = await OnnxSession.open(file, shape, { device: "cpu", deviceId: 0, threads: 0 });
  const cache = new KvCache(shape, TEXTS);
  for (let text = 0; text < TEXTS; text++) cache.pack();
  const sampler = new Sampler(vocabulary);
  const ranges: [number, number][] = [];
  /** Runs `chunk` more ids of every text. */
  const run = async (inputIds: Int32Array, chunk: number): Promise<StepOutputs> => {
    const { capacity, arrays: past } = cache.past(0, TEXTS, cache.lengths[0]! + chunk);
    const outputs = await session.run({
      batch: TEXTS,
      chunk,
      capacity,
      inputIds,
      pastLengths: cache.lengths,
      lastRows: Int32Array.from({ length: TEXTS }, (_, text) => (text + 1) * chunk - 1),
      past,
    });
    cache.append(0, new Array<number>(TEXTS).fill(chunk), chunk, outputs.present);
    widen(ranges, outputs.ranges!);
    return outputs;
  };
  try {
    const length = Math.min(LENGTH, context);
    const prompt = Math.ceil(length / 4);
    let ids = Int32Array.from({ length: TEXTS * prompt }, (_, i) => uniform(SEED, i) * vocabulary);
    for (let position = prompt; ; position++) {
      const { logits, maxima } = await run(ids, ids.length / TEXTS);
      const blocks = maxima.length / TEXTS;
      if (position >= length) return ranges;
      ids = Int32Array.from({ length: TEXTS }, (_, text) =>
        sampler.sample(
          {
            logits: logits.subarray(text * vocabulary, (text + 1) * vocabulary),
            maxima: maxima.subarray(text * blocks, (text + 1) * blocks),
          },
          { ...PLAIN_SAMPLING, seed: [SEED[0], text + 1] },
          position,
        ),
      );
    }
  } finally {
    await session.close();
  }
}

/** @param seen float32 [products, 2] */
function widen(ranges: [number, number][], seen: Float32Array): void {
  for (let product = 0; product < seen.length / 2; product++) {
    const [least, greatest] = seen.subarray(2 * product, 2 * product + 2) as unknown as Range;
    const range = ranges[product];
    ranges[product] = range ? [Math.min(range[0], least), Math.max(range[1], greatest)] : [least, greatest];
  }
}
