import type { BenchRequest, RunningSystem } from "./system.js";

export type Ask = RunningSystem["ask"];

/** One request as its client saw it; times in milliseconds on `performance.now()`'s clock. */
export interface Exchange {
  asked: number;
  ended: number;
  /** Generated. */
  tokens: number;
  /** Tokens as they arrived, where the answer was streamed. */
  arrivals: { at: number; count: number }[];
}

/** Asks, and notes when tokens arrived. @throws what `ask` rejects with, or on an answer of another length than asked for */
export async function exchange(ask: Ask, request: BenchRequest): Promise<Exchange> {
  const arrivals: Exchange["arrivals"] = [];
  const asked = performance.now();
  const onTokens = (count: number) => {
    if (count > 0) arrivals.push({ at: performance.now(), count });
  };
  const tokens = await (request.stream ? ask(request, onTokens) : ask(request));
  const ended = performance.now();
  if (tokens !== request.maxTokens) throw new Error(`expected ${request.maxTokens} tokens, got ${tokens}`);
  return { asked, ended, tokens, arrivals };
}

/** Time to first token; null where the answer came whole. */
export function firstTokenMs({ asked, arrivals: [first] }: Exchange): number | null {
  return first ? first.at - asked : null;
}

/** Inter-token latency, one for each token after the first arrival; `n` tokens that come together after a gap waited a gap / n each. */
export function interTokenMs({ arrivals }: Exchange): number[] {
  return arrivals.slice(1).flatMap(({ at, count }, i) => {
    const gap = at - arrivals[i]!.at;
    return Array.from({ length: count }, () => gap / count);
  });
}
