// The steps of sampling.ts in plain arrays and full sorts, as the papers and transformers word them: what the sampler is tested against.
import type { Sampling } from "../protocol.js";

export interface ReferencePast {
  promptIds?: readonly number[];
  outputIds?: readonly number[];
  /** The tokens that the grammar allows. */
  allowed?: ReadonlySet<number> | null;
  withheld?: number | null;
}

/** The tokens that can come and their probabilities, by rising id. */
export function referenceDistribution(
  rawLogits: ArrayLike<number>,
  sampling: Sampling,
  { promptIds = [], outputIds = [], allowed = null, withheld = null }: ReferencePast = {},
): Map<number, number> {
  const scores = new Map<number, number>();
  for (let token = 0; token < rawLogits.length; token++) {
    const isAllowed = allowed === null || allowed.has(token);
    if (isAllowed && rawLogits[token] !== -Infinity) scores.set(token, rawLogits[token]!);
  }
  if (withheld !== null && scores.size > 1) scores.delete(withheld);

  for (const [token, bias] of sampling.logitBias) {
    const score = scores.get(token);
    if (score !== undefined) scores.set(token, Math.fround(score + bias));
  }
  for (const [token, score] of scores) {
    let penalized = score;
    if (promptIds.includes(token) || outputIds.includes(token)) {
      if (score > 0) penalized = score / sampling.repetitionPenalty;
      else penalized = score * sampling.repetitionPenalty;
    }
    const times = outputIds.filter((id) => id === token).length;
    penalized -= times * sampling.frequencyPenalty;
    if (times > 0) penalized -= sampling.presencePenalty;
    scores.set(token, Math.fround(penalized));
  }

  if (sampling.temperature === 0) {
    const greatest = Math.max(...scores.values());
    const [first] = [...scores.keys()].filter((token) => scores.get(token) === greatest);
    return new Map([[first!, 1]]);
  }
  let kept = new Map([...scores].map(([token, score]) => [token, score / sampling.temperature]));

  if (sampling.topK > 0) {
    const falling = [...kept.values()].sort((a, b) => b - a);
    const last = falling[Math.min(sampling.topK, falling.length) - 1]!;
    kept = keep(kept, (token) => kept.get(token)! >= last);
  }
  if (sampling.topP < 1) {
    // The likelier, the earlier.
    kept = nearest(kept, sampling.topP, (logProbability) => -logProbability);
  }
  if (sampling.typicalP < 1) {
    const logProbabilities = [...logSoftmax(kept).values()];
    const entropy = -logProbabilities.reduce(
      (sum, value) => (Math.exp(value) === 0 ? sum : sum + Math.exp(value) * value),
      0,
    );
    kept = nearest(kept, sampling.typicalP, (logProbability) => Math.abs(-logProbability - entropy));
  }
  const probabilities = softmax(kept);
  const greatest = Math.max(...probabilities.values());
  kept = keep(kept, (token) => probabilities.get(token)! >= sampling.minP * greatest);
  return softmax(kept);
}

type Scores = Map<number, number>;

function keep(scores: Scores, stays: (token: number) => boolean): Scores {
  return new Map([...scores].filter(([token]) => stays(token)));
}

/** The fewest of the tokens, by rising distance, that have a share of all probability; and all as near as the last. */
function nearest(scores: Scores, share: number, distanceOf: (logProbability: number) => number): Scores {
  const tokens = [...logSoftmax(scores)].map(([token, value]) => ({
    token,
    probability: Math.exp(value),
    distance: distanceOf(value),
  }));
  tokens.sort((a, b) => a.distance - b.distance);
  let sum = 0;
  let last = 0;
  for (const [place, { probability }] of tokens.entries()) {
    sum += probability;
    last = place;
    if (sum >= share) break;
  }
  const farthest = tokens[last]!.distance;
  const near = new Set(tokens.filter(({ distance }) => distance <= farthest).map(({ token }) => token));
  return keep(scores, (token) => near.has(token));
}

export function logSoftmax(scores: Scores): Scores {
  const greatest = Math.max(...scores.values());
  const total = [...scores.values()].reduce((sum, score) => sum + Math.exp(score - greatest), 0);
  return new Map([...scores].map(([token, score]) => [token, score - greatest - Math.log(total)]));
}

function softmax(scores: Scores): Scores {
  return new Map([...logSoftmax(scores)].map(([token, value]) => [token, Math.exp(value)]));
}
