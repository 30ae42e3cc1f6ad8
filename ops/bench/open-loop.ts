import { setTimeout as sleep } from "node:timers/promises";
import { type Ask, type Exchange, exchange, firstTokenMs, interTokenMs } from "./exchange.js";
import { mean, type Percentiles, percentiles } from "./statistics.js";
import type { BenchRequest } from "./system.js";

/** What a request has to keep to count as good: about what a reader notices. The same for all systems. */
export const BOUNDS = { firstTokenMs: 1000, meanInterTokenMs: 50 };

export interface ScheduledRequest {
  /** Seconds from the start. */
  at: number;
  request: BenchRequest;
}

export type Outcome =
  | { type: "answered"; exchange: Exchange }
  /** Told to come back later. */
  | { type: "refused"; retryAfter: number | null }
  | { type: "failed"; reason: string }
  /** Not answered when the patience ended. */
  | { type: "unfinished" };

export interface OpenLoopFigures {
  offered: number;
  answered: number;
  good: number;
  refused: number;
  /** Of the refusals, those that said when to come back. */
  refusedWithRetryAfter: number;
  failed: number;
  unfinished: number;
  firstToken: Percentiles | null;
  interToken: Percentiles | null;
  endToEnd: Percentiles | null;
}

/**
 * Sends every request at its time, whatever became of those before it, and waits `patience` seconds after the last.
 * Latency counts from the scheduled time: a client that was late to send is part of what its user waits for.
 */
export async function openLoop(
  ask: Ask,
  schedule: readonly ScheduledRequest[],
  patience: number,
): Promise<Outcome[]> {
  const start = performance.now();
  const ended = new AbortController();
  const asks = schedule.map(async ({ at, request }): Promise<Outcome> => {
    const asked = start + 1000 * at;
    await sleep(Math.max(0, asked - performance.now()));
    try {
      return { type: "answered", exchange: { ...(await exchange(ask, request)), asked } };
    } catch (error) {
      return refusal(error) ?? { type: "failed", reason: (error as Error).message };
    }
  });
  const last = schedule.at(-1)?.at ?? 0;
  const end = sleep(1000 * (last + patience), null, { signal: ended.signal }).catch(() => null);
  const outcomes = await Promise.all(
    asks.map((one) => Promise.race([one, end.then((): Outcome => ({ type: "unfinished" }))])),
  );
  ended.abort();
  return outcomes;
}

/** Systems say by `status` on an error that they refused for now. */
function refusal(error: unknown): Outcome | null {
  const { status, retryAfter } = error as { status?: unknown; retryAfter?: unknown };
  if (status !== 503 && status !== 429) return null;
  return { type: "refused", retryAfter: typeof retryAfter === "number" ? retryAfter : null };
}

export function isGood(one: Exchange, bounds = BOUNDS): boolean {
  const first = firstTokenMs(one) ?? one.ended - one.asked;
  const gaps = interTokenMs(one);
  return first <= bounds.firstTokenMs && (gaps.length === 0 || mean(gaps) <= bounds.meanInterTokenMs);
}

export function openLoopFigures(outcomes: readonly Outcome[], bounds = BOUNDS): OpenLoopFigures {
  const exchanges = outcomes.flatMap((one) => (one.type === "answered" ? [one.exchange] : []));
  const refused = outcomes.filter((one) => one.type === "refused");
  const count = (type: Outcome["type"]) => outcomes.filter((one) => one.type === type).length;
  return {
    offered: outcomes.length,
    answered: exchanges.length,
    good: exchanges.filter((one) => isGood(one, bounds)).length,
    refused: refused.length,
    refusedWithRetryAfter: refused.filter(({ retryAfter }) => retryAfter !== null).length,
    failed: count("failed"),
    unfinished: count("unfinished"),
    firstToken: percentiles(exchanges.flatMap((one) => firstTokenMs(one) ?? [])),
    interToken: percentiles(exchanges.flatMap(interTokenMs)),
    endToEnd: percentiles(exchanges.map(({ asked, ended }) => ended - asked)),
  };
}
