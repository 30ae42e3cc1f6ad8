import type { BenchRequest, RunningSystem } from "./system.js";

export type Ask = RunningSystem["ask"];

/** One request as its client saw it; times in milliseconds on `performance.now()`'s clock. */
export interface Exchange {
  asked: number;
  ended: number;
  /** Number of generated tokens. */
  tokens: number;
  /** When tokens arrived, if the answer was streamed. */
  arrivals: { at: number; count: number }[];
}

/**
 * Sends a request and records when tokens arrive.
 * @throws what `ask` rejects with, or if the answer's length is wrong
 */
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

/** Time to first token; null if the answer was not streamed. */
export function firstTokenMs({ asked, arrivals: [first] }: Exchange): number | null {
  return first ? first.at - asked : null;
}

/**
 * Inter-token latencies, one per token after the first arrival. `n` tokens that arrive together share their gap: gap /
 * n each.
 */
export function interTokenMs({ arrivals }: Exchange): number[] {
  return arrivals.slice(1).flatMap(({ at, count }, i) => {
    const gap = at - arrivals[i]!.at;
    return Array.from({ length: count }, () => gap / count);
  });
}
