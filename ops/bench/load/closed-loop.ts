import type { ClosedLoopFigures } from "../results/results.js";
import { percentiles } from "../results/statistics.js";
import { type Ask, type Exchange, exchange, firstTokenMs, interTokenMs } from "./exchange.js";
import type { BenchRequest } from "./system.js";

export interface ClosedLoopOptions {
  clients: number;
  /** Clients repeat for this many seconds; every client asks at least once. */
  seconds: number;
  /** The next request to send. */
  next(): BenchRequest;
}

/** Keeps `clients` requests running: each client sends its next request when it has its answer. */
export async function closedLoop(
  ask: Ask,
  { clients, seconds, next }: ClosedLoopOptions,
): Promise<Exchange[][]> {
  const deadline = performance.now() + 1000 * seconds;
  let failed = false;
  const client = async () => {
    const exchanges: Exchange[] = [];
    do exchanges.push(await exchange(ask, next()));
    while (!failed && performance.now() < deadline);
    return exchanges;
  };
  const all = Array.from({ length: clients }, () =>
    client().catch((error) => {
      failed = true;
      throw error;
    }),
  );
  // Wait for all, so that even after a failure no request is still running.
  await Promise.allSettled(all);
  return Promise.all(all);
}

/**
 * Tokens per second while all clients are busy.
 *
 * There are two estimates. Until the first client stops for good, all are busy, and the tokens that have arrived by
 * then count; but those of a whole (not streamed) answer arrive only at its end. Until the last answer, all tokens
 * count, but towards the end some clients are idle. Both can only be too low, so the greater one is better.
 */
export function tokensPerSecond(clients: readonly (readonly Exchange[])[]): number {
  const exchanges = clients.flat();
  const start = Math.min(...exchanges.map(({ asked }) => asked));
  const firstIdle = Math.min(...clients.map((own) => own.at(-1)!.ended));
  const end = Math.max(...exchanges.map(({ ended }) => ended));
  const rate = (until: number) => {
    const tokens = exchanges.reduce((sum, one) => sum + tokensBy(one, until), 0);
    return (1000 * tokens) / (until - start);
  };
  return Math.max(rate(firstIdle), rate(end));
}

function tokensBy({ ended, tokens, arrivals }: Exchange, time: number): number {
  if (ended <= time) return tokens;
  return arrivals.reduce((sum, { at, count }) => (at <= time ? sum + count : sum), 0);
}

export function closedLoopFigures(clients: readonly (readonly Exchange[])[]): ClosedLoopFigures {
  const exchanges = clients.flat();
  const start = Math.min(...exchanges.map(({ asked }) => asked));
  return {
    tokensPerSecond: tokensPerSecond(clients),
    requests: exchanges.length,
    seconds: (Math.max(...exchanges.map(({ ended }) => ended)) - start) / 1000,
    firstToken: percentiles(exchanges.flatMap((one) => firstTokenMs(one) ?? [])),
    interToken: percentiles(exchanges.flatMap(interTokenMs)),
    endToEnd: percentiles(exchanges.map(({ asked, ended }) => ended - asked))!,
  };
}

/**
 * How many tokens to request so that one request of every client ends within `seconds` at this rate: `wanted`, or fewer
 * for a slow system; null if even `least` would take three times as long.
 */
export function tokensThatFit(
  rate: number,
  clients: number,
  { wanted, least, seconds }: { wanted: number; least: number; seconds: number },
): number | null {
  const fit = Math.floor((rate * seconds) / clients);
  if (fit >= wanted) return wanted;
  if (fit >= least) return fit;
  return 3 * fit >= least ? Math.min(least, wanted) : null;
}
