import { Reader } from "../../workers/engine/reader.js";
import type { StepSession } from "../../workers/engine/step-session.js";
import type { ModelShape } from "../shape.js";
import type { Texts } from "./calibrate.js";

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

/** A model that reads texts. */
export interface Judged {
  session: StepSession;
  shape: ModelShape;
}

/** Compares two models' predictions, token by token, on texts that the original wrote. */
export async function judge(
  original: Judged,
  quantized: Judged,
  { count, length, prompt, ids }: Texts,
  onProgress: (share: number) => void = () => {},
): Promise<Quality> {
  const { vocabulary } = original.shape;
  const readers = [original, quantized].map(({ session, shape }) => new Reader(session, shape, count)) as [
    Reader,
    Reader,
  ];
  const longest = Math.max(1, Math.min(LONGEST_CHUNK, Math.floor(LOGITS_PER_RUN / (count * vocabulary))));
  let kl = 0;
  let same = 0;
  let judged = 0;
  for (let first = 0; first < length; ) {
    // The prompt's tokens were drawn at random, so only predictions from its last token on are scored.
    const limit = first < prompt - 1 ? prompt - 1 : length;
    const chunk = Math.min(longest, limit - first);
    const rows = first < prompt - 1 ? 1 : chunk;
    const part = new Int32Array(count * chunk);
    for (let text = 0; text < count; text++)
      part.set(ids.subarray(text * length + first, text * length + first + chunk), text * chunk);
    const expected = (await readers[0].read(part, rows)).logits;
    const actual = (await readers[1].read(part, rows)).logits;
    first += chunk;
    onProgress(first / length);
    if (first < prompt) continue;
    for (let at = 0; at < expected.length; at += vocabulary) {
      const p = expected.subarray(at, at + vocabulary);
      const q = actual.subarray(at, at + vocabulary);
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
