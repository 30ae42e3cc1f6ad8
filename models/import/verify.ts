import { readPrompt } from "../../workers/engine/reader.js";
import type { StepSession } from "../../workers/engine/step-session.js";
import type { ModelConfig } from "../config.js";
import { modelShape } from "../shape.js";
import { ImportError } from "./checkpoint/error.js";
import { forward } from "./forward/forward.js";
import type { ModelWeights } from "./weights.js";

/** Number of ids that both sides read; more would only cost time. */
const IDS = 24;
/** How far two float32 logits may lie apart, as a share of their range. Rounding explains about 1e-6. */
const TOLERANCE = 1e-3;

/** Result of comparing a graph with its checkpoint. */
export interface Verification {
  /** The greatest difference between two logits. */
  difference: number;
  /** The range of the checkpoint's logits. */
  range: number;
  /** The ids that both sides read. */
  ids: Int32Array;
  /** The graph's logits after the last id: float32 [vocabulary]. */
  logits: Float32Array;
}

/** What the checkpoint itself predicts. */
export interface Expected {
  ids: Int32Array;
  /** After the next to last id, if there is one, and after the last: float32 [vocabulary] each. */
  logits: readonly Float32Array[];
}

/** Runs a plain forward pass over a few ids, straight from the checkpoint. */
export async function predict(
  weights: ModelWeights,
  onProgress: (share: number) => void = () => {},
): Promise<Expected> {
  const { context, vocab } = weights.sizes;
  const ids = Int32Array.from({ length: Math.min(IDS, context) }, (_, i) => (i * 7919 + 13) % vocab);
  return { ids, logits: await forward(weights, [...ids], Math.min(2, ids.length), onProgress) };
}

/**
 * Compares a float32 graph with what its checkpoint predicts, where the last id reads the cache of the others.
 * @throws ImportError if they disagree by more than rounding explains
 */
export async function verify(
  session: StepSession,
  config: ModelConfig,
  { ids, logits: expected }: Expected,
): Promise<Verification> {
  const actual = await readPrompt(session, modelShape(config), ids).catch((error: Error) => {
    throw doesNotRun(config, error.message);
  });
  let difference = 0;
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (const [i, logits] of expected.entries()) {
    for (const [token, logit] of logits.entries()) {
      const distance = Math.abs(logit - actual[i]![token]!);
      // Written so that a NaN counts as a difference: it is neither smaller nor greater.
      if (!(distance <= difference)) difference = distance;
      least = Math.min(least, logit);
      most = Math.max(most, logit);
    }
  }
  const range = most - least;
  const allowed = TOLERANCE * Math.max(range, 1e-3);
  if (!(difference <= allowed)) {
    throw new ImportError(
      `the written model ${config.name}`,
      `disagrees with the checkpoint: expected logits within ${allowed.toPrecision(2)}, got a difference of ${difference.toPrecision(3)}`,
    );
  }
  return { difference, range, ids, logits: actual.at(-1)! };
}

/** The error for a graph that the runtime refuses for this reason. */
export function doesNotRun({ name }: ModelConfig, reason: string): ImportError {
  return new ImportError(`the written model ${name}`, `expected a graph that runs, got: ${reason}`);
}
