import { KvCache } from "../../workers/engine/kv-cache.js";
import { OnnxSession } from "../../workers/onnx/session.js";
import type { ModelConfig } from "../folder.js";
import { type ModelShape, modelShape } from "../shape.js";
import { ImportError } from "./error.js";
import { forward } from "./forward.js";
import type { GptWeights } from "./weights.js";

/** Ids that both sides are fed; more only cost time. */
const IDS = 24;
/**
 * How far the logits may lie apart, as a share of their range. Rounding stays well below, at about 1e-6 in float32 and 0.01
 * in int8; what lies above is a wrong model, a damaged file or a broken runtime.
 */
const TOLERANCE = { fp32: 1e-3, int8: 0.1 };

/** What the comparison found. */
export interface Verification {
  /** The greatest difference between two logits, and the range of the right ones. */
  difference: number;
  range: number;
}

/**
 * Runs the written model and a plain forward pass over the same ids, the last of them against the cache of the others.
 * @throws ImportError if it doesn't run, or they disagree by more than the precision explains
 */
export async function verify(
  graphPath: string,
  weights: GptWeights,
  config: ModelConfig,
): Promise<Verification> {
  const shape = modelShape(config);
  const ids = Array.from(
    { length: Math.min(IDS, shape.context) },
    (_, i) => (i * 7919 + 13) % shape.vocabulary,
  );
  const actual = await runGraph(graphPath, shape, ids).catch((error: Error) => {
    // The runtime names the file that it was given, which is gone by the time that anybody reads this.
    const reason = error.message.replaceAll(graphPath, "model.onnx");
    throw new ImportError(`the written model ${config.name}`, `expected a graph that runs, got: ${reason}`);
  });
  const expected = await forward(weights, ids, actual.length, config.layer_norm_epsilon);
  let difference = 0;
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (const [i, logits] of expected.entries()) {
    for (const [token, logit] of logits.entries()) {
      const distance = Math.abs(logit - actual[i]![token]!);
      // A NaN is no greater than anything, so it has to be caught by not being smaller.
      if (!(distance <= difference)) difference = distance;
      least = Math.min(least, logit);
      most = Math.max(most, logit);
    }
  }
  const range = most - least;
  const allowed = TOLERANCE[config.precision] * Math.max(range, 1e-3);
  if (!(difference <= allowed)) {
    throw new ImportError(
      `the written model ${config.name}`,
      `disagrees with the checkpoint: expected logits within ${allowed.toPrecision(2)}, got a difference of ${difference.toPrecision(3)}`,
    );
  }
  return { difference, range };
}

/** Logits after all but the last id, then after the last one alone; just the latter where there is but one id. */
async function runGraph(
  graphPath: string,
  shape: ModelShape,
  ids: readonly number[],
): Promise<Float32Array[]> {
  const cache = new KvCache(shape, 1);
  cache.pack();
  const session = await OnnxSession.open(graphPath, shape, { device: "cpu", deviceId: 0, threads: 0 });
  try {
    const results: Float32Array[] = [];
    for (const part of [ids.slice(0, -1), ids.slice(-1)]) {
      if (part.length === 0) continue;
      const { capacity, arrays: past } = cache.past(0, 1, cache.lengths[0]! + part.length);
      const { logits, present } = await session.run({
        batch: 1,
        chunk: part.length,
        capacity,
        inputIds: Int32Array.from(part),
        pastLengths: cache.lengths,
        lastRows: Int32Array.of(part.length - 1),
        past,
      });
      cache.append(0, [part.length], part.length, present);
      results.push(logits);
    }
    return results;
  } finally {
    await session.close();
  }
}
