import type { RequestHandler } from "express";
import { Metrics } from "../metrics/metrics.js";

/**
 * The metrics in Prometheus' text format.
 * @param withCallers whether it tells callers' names, which a caller must not see
 */
export function answerMetrics(metrics: Metrics, { withCallers }: { withCallers: boolean }): RequestHandler {
  return async (_req, res) => {
    const text = await metrics.text(withCallers);
    res.set({ "Content-Type": Metrics.contentType, "Cache-Control": "no-store" }).send(text);
  };
}
