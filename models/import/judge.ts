import { Reader } from "../../workers/engine/reader.js";
import type { StepSession } from "../../workers/engine/step-session.js";
import type { ModelShape } from "../shape.js";
import { part, type Texts } from "./calibrate.js";

/** Cap on the logits of one run, so that a large vocabulary takes no more memory than a small one. */
const LOGITS_PER_RUN = 2 ** 22;
const LONGEST_CHUNK = 32;
/** Greatest mean KL divergence, in nats a token, of a good and of a fair int8 model. Above both it is poor. */
const GOOD = 0.005;
const FAIR = 0.05;

/** How close an int8 model comes to its float32 original. */
export interface Quality {
  /** Mean Kullback-Leibler divergence of the int8 model's next-token distribution from the original's, in nats a token. */
  kl: number;
  /** Share of positions at which both put the same token first, from 0 to 1. */
  sameTop: number;
  verdict: "good" | "fair" | "poor";
}

/** Gives rows of logits: the original's after the prompt of each text, then after the next token of each, and so on. */
export interface Recorded {
  row(index: number): Promise<Float32Array>;
}

/** Compares a model's predictions with the original's, token by token, on texts that the original wrote. */
export async function judge(
  original: Recorded,
  quantized: StepSession,
  shape: ModelShape,
  texts: Texts,
  onProgress: (share: number) => void = () => {},
): Promise<Quality> {
  const { vocabulary } = shape;
  const { count, length, prompt } = texts;
  const reader = new Reader(quantized, shape, count);
  const longest = Math.max(1, Math.min(LONGEST_CHUNK, Math.floor(LOGITS_PER_RUN / (count * vocabulary))));
  let kl = 0;
  let same = 0;
  let judged = 0;
  for (let first = 0; first < length; ) {
    // The prompt's tokens were drawn at random, so only predictions from its last token on are scored.
    const limit = first < prompt - 1 ? prompt - 1 : length;
    const chunk = Math.min(longest, limit - first);
    const rows = first < prompt - 1 ? 1 : chunk;
    const { logits } = await reader.read(part(texts, first, chunk), rows);
    const step = first - (prompt - 1);
    first += chunk;
    onProgress(first / length);
    if (first < prompt) continue;
    for (let text = 0; text < count; text++)
      for (let row = 0; row < rows; row++) {
        const p = await original.row((step + row) * count + text);
        const at = (text * rows + row) * vocabulary;
        const q = logits.subarray(at, at + vocabulary);
        kl += divergence(p, q);
        if (top(p) === top(q)) same++;
        judged++;
      }
  }
  return { ...rated(kl / judged), sameTop: same / judged };
}

function rated(kl: number): Pick<Quality, "kl" | "verdict"> {
  // NaN fails both comparisons, so the verdict is `poor`.
  return { kl, verdict: kl <= GOOD ? "good" : kl <= FAIR ? "fair" : "poor" };
}

/** Kullback-Leibler divergence of softmax(q) from softmax(p), in nats; the sums are taken in float64. */
export function divergence(p: Float32Array, q: Float32Array): number {
  const [logP, logQ] = [logTotal(p), logTotal(q)];
  let sum = 0;
  for (let i = 0; i < p.length; i++) {
    const log = p[i]! - logP;
    sum += Math.exp(log) * (log - (q[i]! - logQ));
  }
  return sum;
}

/** The logarithm of the sum of exponentials. */
function logTotal(logits: Float32Array): number {
  const most = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return most + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0));
}

/** The likeliest token. */
export function top(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
}
