import type { IRouter } from "express";
import { callerOf } from "../keys/authenticate.js";
import type { Allowance } from "../keys/caller.js";
import type { Counts } from "../keys/saved-usage.js";

/** Usage and limits of the calling key. */
export function usageRoutes(app: IRouter): void {
  app.get("/v1/usage", (_req, res) => {
    const { name, priority, ledger, allowances } = callerOf(res);
    const { requestsPerMinute, tokensPerMinute, tokensPerDay, concurrentRequests } = allowances;
    res.json({
      object: "usage",
      name,
      priority,
      since: ledger.since.toISOString(),
      ...countsBody(ledger.total),
      days: ledger.days.map(([date, counts]) => ({ date, ...countsBody(counts) })),
      limits: {
        requests_per_minute: allowanceBody(requestsPerMinute),
        tokens_per_minute: allowanceBody(tokensPerMinute),
        tokens_per_day: allowanceBody(tokensPerDay),
        concurrent_requests: allowanceBody(concurrentRequests),
      },
    });
  });
}

function countsBody({ requests, refused, promptTokens, completionTokens }: Counts) {
  return {
    requests,
    refused,
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

function allowanceBody(allowance: Allowance | null) {
  if (allowance === null) return null;
  const { limit, remaining, msUntilReset } = allowance;
  return { limit, remaining, reset_seconds: msUntilReset === null ? null : Math.ceil(msUntilReset / 1000) };
}
