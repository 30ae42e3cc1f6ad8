import { setTimeout as sleep } from "node:timers/promises";
import { uniform } from "../../../workers/engine/sampling/philox.js";
import type { Bounds, OpenLoopFigures } from "../results/results.js";
import { mean, percentiles } from "../results/statistics.js";
import { type Ask, type Exchange, exchange, firstTokenMs, interTokenMs } from "./exchange.js";
import type { BenchRequest } from "./system.js";

/** Roughly what a reader notices; the same for all systems. */
export const BOUNDS: Bounds = { firstTokenMs: 1000, meanInterTokenMs: 50 };

export interface ScheduledRequest {
  /** Seconds from the start. */
  at: number;
  request: BenchRequest;
}

/** An answer, or why there is none. `deferred` is a refusal with Retry-After; `unfinished` had no answer in time. */
export type Outcome = Exchange | "refused" | "deferred" | "failed" | "unfinished";

/** Arrival times of a Poisson process, in seconds from its start; the same seed gives the same times. */
export function poissonArrivals(perSecond: number, seconds: number, seed: number): number[] {
  const times: number[] = [];
  let time = 0;
  for (let i = 0; ; i++) {
    // 1 - uniform is in (0, 1], so that the logarithm is finite.
    time -= Math.log(1 - uniform([seed, 0], i)) / perSecond;
    if (time >= seconds) return times;
    times.push(time);
  }
}

/**
 * Sends every request at its scheduled time, even if earlier ones are still running, and waits `patience` seconds after
 * the last. Latency counts from the scheduled time: a user also waits while the client is late to send.
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
      return { ...(await exchange(ask, request)), asked };
    } catch (error) {
      return failure(error);
    }
  });
  const last = schedule.at(-1)?.at ?? 0;
  const end = sleep(1000 * (last + patience), null, { signal: ended.signal }).catch(() => null);
  const unfinished = end.then((): Outcome => "unfinished");
  const outcomes = await Promise.all(asks.map((one) => Promise.race([one, unfinished])));
  ended.abort();
  return outcomes;
}

/** Classifies an error. Systems report a refusal by a `status` on the error. */
function failure(error: unknown): Outcome {
  const { status, retryAfter } = error as { status?: unknown; retryAfter?: unknown };
  if (status !== 503 && status !== 429) return "failed";
  return typeof retryAfter === "number" ? "deferred" : "refused";
}

export function isGood(one: Exchange, bounds = BOUNDS): boolean {
  const first = firstTokenMs(one) ?? one.ended - one.asked;
  const gaps = interTokenMs(one);
  return first <= bounds.firstTokenMs && (gaps.length === 0 || mean(gaps) <= bounds.meanInterTokenMs);
}

export function openLoopFigures(outcomes: readonly Outcome[], bounds = BOUNDS): OpenLoopFigures {
  const exchanges = outcomes.filter((one) => typeof one === "object");
  const count = (outcome: Outcome) => outcomes.filter((one) => one === outcome).length;
  return {
    offered: outcomes.length,
    good: exchanges.filter((one) => isGood(one, bounds)).length,
    refused: count("refused") + count("deferred"),
    refusedWithRetryAfter: count("deferred"),
    failed: count("failed"),
    unfinished: count("unfinished"),
    firstToken: percentiles(exchanges.flatMap((one) => firstTokenMs(one) ?? [])),
    interToken: percentiles(exchanges.flatMap(interTokenMs)),
    endToEnd: percentiles(exchanges.map(({ asked, ended }) => ended - asked)),
  };
}
