import express, { type Express, type RequestHandler, type Response } from "express";
import { PublicError } from "../errors/errors.js";
import { readBody } from "../http/body.js";
import { BodyBudget } from "../http/body-budget.js";
import { BodySchemas } from "../http/body-schemas.js";
import { listBounds } from "../http/bounded-lists.js";
import { crossOrigin } from "../http/cross-origin.js";
import { bodyProperties, type Document } from "../http/document.js";
import { answerErrors } from "../http/error-handler.js";
import { takesNumbersAsTexts } from "../http/lenient-numbers.js";
import { warnOfMisspelledFields } from "../http/misspelled-fields.js";
import { requireOneHost } from "../http/one-host.js";
import { requireOwnHost } from "../http/own-hosts.js";
import { expressPath, knownPaths } from "../http/paths.js";
import { giveRequestId } from "../http/request-id.js";
import { validator } from "../http/request-validator.js";
import { securityHeaders } from "../http/security-headers.js";
import { summarize } from "../http/summarize.js";
import { ignoreConditions } from "../http/unconditional.js";
import { authenticate, callerOf, countRefusals } from "../keys/authenticate.js";
import type { Caller } from "../keys/caller.js";
import type { Callers } from "../keys/callers.js";
import type { Metrics } from "../metrics/metrics.js";
import type { Operation } from "../requests/operation.js";
import { docsRoutes, openPages, pageAssets } from "../routes/docs.js";
import { generateRoutes } from "../routes/generate.js";
import { healthRoutes, statusOf } from "../routes/health.js";
import { jobRoutes } from "../routes/jobs.js";
import { answerMetrics } from "../routes/metrics.js";
import { modelRoutes } from "../routes/models.js";
import { pageRoutes, readPage } from "../routes/page.js";
import { statusRoutes } from "../routes/status.js";
import { toolRoutes } from "../routes/tools.js";
import { usageRoutes } from "../routes/usage.js";
import type { AssemblyParts } from "./parts.js";

interface AppParts extends AssemblyParts {
  document: Document;
  /** Null if this port has no /metrics. */
  metrics: Metrics | null;
}

/** Builds the Express app from its parts, without a socket. */
export function createApp(parts: AppParts): Express {
  const { config, document, model, operations, callers, idempotency, telemetry, metrics, log } = parts;
  const page = readPage();
  const assets = [...pageAssets, ...page.files.keys()];
  const app = express();
  app.disable("x-powered-by");
  // ETags would hash every response, and no client of these operations uses them.
  app.disable("etag");
  app.enable("case sensitive routing");
  app.use(giveRequestId());
  app.use(summarize(telemetry, log, (res) => nameOfKey(callers, res)));
  app.use(securityHeaders());
  app.use(ignoreConditions(assets));
  app.use(requireOneHost());
  if (!callers.keyed) app.use(requireOwnHost(config));
  if (config.corsOrigins !== "none") app.use(crossOrigin(config.corsOrigins));
  const open = ["/", "/live", "/ready", "/health", ...openPages, ...page.files.keys()];
  if (config.metrics === "public") open.push("/metrics");
  app.use(authenticate(callers, new Set(open)));
  app.use(knownPaths(document, assets));
  const budget = parts.bodies ?? bodyBudget(config);
  app.post(/.*/, readBody(config.maxBodyBytes, { typed: !callers.keyed, budget }));
  const fieldsOf = knownFields(document, operations);
  for (const path of Object.keys(document.paths))
    app.post(expressPath(path), warnOfMisspelledFields(fieldsOf(path), log), prepareBody(document, path));
  app.use(validator(document, parts.validateResponses ?? false));
  app.post(/.*/, idempotency.handle());
  // All on one router: a router that has no answer passes the request on only in the next turn of the event loop.
  generateRoutes(app, parts);
  jobRoutes(app, { ...parts, bodies: new BodySchemas(document) });
  modelRoutes(app, model);
  toolRoutes(app, parts);
  pageRoutes(app, page);
  healthRoutes(app, { ...parts, version: document.info.version });
  usageRoutes(app);
  statusRoutes(app, {
    ...{ ...parts, jobs: parts.jobCounts, version: document.info.version },
    health: () => statusOf(parts, parts.vitals()),
    keyed: () => callers.keyed,
  });
  // Even if everybody may read them, they don't name callers: who may call the API may read this port, too.
  if (metrics !== null) app.get("/metrics", answerMetrics(metrics, { withCallers: false }));
  docsRoutes(app, document);
  app.use(() => {
    throw new PublicError("not_found");
  });
  app.use(idempotency.handleError());
  app.use(countRefusals());
  app.use(answerErrors(log, document));
  return app;
}

/** The name of a request's key; null for one without: to a server without keys, to an open path, or with a wrong key. */
function nameOfKey(callers: Callers, res: Response): string | null {
  const caller = callerOf(res) as Caller | undefined;
  return caller === undefined || caller === callers.anonymous ? null : caller.name;
}

/** Bytes of bodies that are held at once, over all requests, unless two of the largest need more. */
const HELD_BYTES = 32 * 1024 * 1024;

const bodyBudget = ({ maxBodyBytes }: AssemblyParts["config"]) =>
  new BodyBudget(Math.max(HELD_BYTES, 2 * maxBodyBytes));

/** The fields that a body of each path may have. A job's may have those of the operations too. */
function knownFields(document: Document, operations: readonly Operation[]): (path: string) => string[] {
  const fieldsOf = (path: string) => Object.keys(bodyProperties(document, path));
  const ofOperations = operations.flatMap(({ path }) => fieldsOf(path));
  return (path) => [...fieldsOf(path), ...(path === "/jobs" ? ofOperations : [])];
}

/** Prepares a body for the validator: numbers that came as texts, lists that are too long. */
function prepareBody(document: Document, path: string): RequestHandler {
  const checks = [takesNumbersAsTexts(document, path), listBounds(document, path)];
  return (req, _res, next) => {
    for (const check of checks) check(req.body);
    next();
  };
}
