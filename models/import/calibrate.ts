import { Reader } from "../../workers/engine/reader.js";
import { uniform } from "../../workers/engine/sampling/philox.js";
import { Sampler } from "../../workers/engine/sampling/sampler.js";
import { PLAIN_SAMPLING } from "../../workers/engine/sampling/sampling.js";
import type { StepSession } from "../../workers/engine/step-session.js";
import type { ModelShape } from "../shape.js";

/** Number of texts and their greatest length in tokens. More text would widen the ranges only a little. */
const TEXTS = 8;
const LENGTH = 256;
/** Most tokens of each prompt in one run: its numbers would take more memory than a small model. */
const LONGEST_CHUNK = 8;
const SEED: readonly [number, number] = [0x6a6169, 0];

/** Result of a calibration. */
export interface Calibration {
  /** As the graph has them: columns of each matrix product's input, and then of each layer's heads. */
  observed: readonly Channels[];
  /** The texts that the model read and wrote. */
  texts: Texts;
}

/** The least and the greatest number of each column. */
export interface Channels {
  least: Float32Array;
  greatest: Float32Array;
}

/** Texts of equal length that a model went on with. */
export interface Texts {
  count: number;
  length: number;
  /** How many ids at the beginning of each are a prompt; the model wrote the rest. */
  prompt: number;
  /** int32 [count, length] */
  ids: Int32Array;
}

/**
 * Runs a float32 model over random tokens, which stand for prompts of every kind, and lets it continue them. What it
 * writes is as close to its training text as can be had without the corpus. The same weights give the same result.
 * @param session of the graph that `buildObservedGraph` makes
 * @param columns how many the graph observes of each, in its order
 * @param onLogits gets each text's logits after its prompt, and then after each further token: float32 [texts, vocabulary]
 */
export async function calibrate(
  session: StepSession,
  shape: ModelShape,
  columns: readonly number[],
  onLogits: (logits: Float32Array) => Promise<void> = async () => {},
  onProgress: (share: number) => void = () => {},
): Promise<Calibration> {
  const { context, vocabulary } = shape;
  const reader = new Reader(session, shape, TEXTS);
  const sampler = new Sampler(vocabulary);
  const observed = columns.map((count) => ({
    least: new Float32Array(count).fill(Number.POSITIVE_INFINITY),
    greatest: new Float32Array(count).fill(Number.NEGATIVE_INFINITY),
  }));
  const length = Math.min(LENGTH, context);
  const prompt = Math.ceil(length / 4);
  const texts: Texts = { count: TEXTS, length, prompt, ids: new Int32Array(TEXTS * length) };
  for (let text = 0; text < TEXTS; text++)
    for (let i = 0; i < prompt; i++)
      texts.ids[text * length + i] = uniform(SEED, text * prompt + i) * vocabulary;
  for (let read = 0; read < length; ) {
    const chunk = read < prompt ? Math.min(LONGEST_CHUNK, prompt - read) : 1;
    const { logits, maxima, ranges: seen } = await reader.read(part(texts, read, chunk));
    widen(observed, seen!);
    read += chunk;
    onProgress(read / length);
    if (read < prompt) continue;
    await onLogits(logits);
    if (read === length) break;
    const blocks = maxima.length / TEXTS;
    for (let text = 0; text < TEXTS; text++)
      texts.ids[text * length + read] = sampler.sample(
        {
          logits: logits.subarray(text * vocabulary, (text + 1) * vocabulary),
          maxima: maxima.subarray(text * blocks, (text + 1) * blocks),
        },
        { ...PLAIN_SAMPLING, seed: [SEED[0], text + 1] },
        read,
      );
  }
  return { observed, texts };
}

/** The ids of each text from `first` on: int32 [count, chunk] */
export function part({ count, length, ids }: Texts, first: number, chunk: number): Int32Array {
  const result = new Int32Array(count * chunk);
  for (let text = 0; text < count; text++)
    result.set(ids.subarray(text * length + first, text * length + first + chunk), text * chunk);
  return result;
}

/** @param seen float32 [2, columns of all products] */
function widen(observed: readonly Channels[], seen: Float32Array): void {
  const total = seen.length / 2;
  let at = 0;
  for (const { least, greatest } of observed)
    for (let column = 0; column < least.length; column++, at++) {
      least[column] = Math.min(least[column]!, seen[at]!);
      greatest[column] = Math.max(greatest[column]!, seen[total + at]!);
    }
}
