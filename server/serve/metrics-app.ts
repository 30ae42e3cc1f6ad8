import express, { type Express } from "express";
import { PublicError } from "../errors/errors.js";
import type { Document } from "../http/document.js";
import { answerErrors } from "../http/error-handler.js";
import { requireOneHost } from "../http/one-host.js";
import { requireOwnHost } from "../http/own-hosts.js";
import { giveRequestId } from "../http/request-id.js";
import { securityHeaders } from "../http/security-headers.js";
import { summarize } from "../http/summarize.js";
import type { Metrics } from "../metrics/metrics.js";
import { answerMetrics } from "../routes/metrics.js";
import { Telemetry } from "../telemetry/telemetry.js";
import type { AssemblyParts } from "./parts.js";

/**
 * The app of the metrics' own port: `/metrics`, and nothing else. It takes no keys, so it answers only to the server's own
 * host names, as a server without keys does.
 */
export function createMetricsApp(
  { config, log }: Pick<AssemblyParts, "config" | "log">,
  metrics: Metrics,
  document: Document,
): Express {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.enable("case sensitive routing");
  app.enable("strict routing");
  app.use(giveRequestId());
  // Scrapes of this port are not what the metrics tell of.
  app.use(summarize(new Telemetry(), log, () => null));
  app.use(securityHeaders());
  app.use(requireOneHost());
  app.use(requireOwnHost(config));
  app.get("/metrics", answerMetrics(metrics, { withCallers: true }));
  app.use(() => {
    throw new PublicError("not_found");
  });
  app.use(answerErrors(log, document));
  return app;
}
