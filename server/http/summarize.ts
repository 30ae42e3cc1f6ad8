import type { Request, RequestHandler, Response } from "express";
import type { Log } from "../log.js";
import { endedFields, endedLine } from "../telemetry/ended-line.js";
import { newSummary, type Summary, whenComplete } from "../telemetry/summary.js";
import type { Telemetry } from "../telemetry/telemetry.js";
import { bounded } from "./refusal-line.js";
import { requestId } from "./request-id.js";

const LONGEST_PATH = 100;
/** Asked again and again until they answer 200. */
const probes = new Set(["/live", "/ready", "/health"]);

/**
 * Keeps a summary of every request, and logs one line at its end. Reads that succeed, and probes, are logged at the level
 * debug. Belongs right behind `giveRequestId`.
 * @param callerOf the caller's name; null if there are no names, or the request had no valid key
 */
export function summarize(
  telemetry: Telemetry,
  log: Log,
  callerOf: (res: Response) => string | null,
): RequestHandler {
  const end = (summary: Summary) => {
    telemetry.emit("ended", summary);
    const { id, method, path, status, error } = summary;
    const isRead = method === "GET" || method === "HEAD";
    const isQuiet = isRead && (error === null || probes.has(path));
    const level = status === 500 ? "error" : isQuiet ? "debug" : "info";
    log[level](
      `${id} - ${method} ${bounded(path, LONGEST_PATH)}: ${endedLine(summary)}`,
      endedFields(summary),
    );
  };
  return (req, res, next) => {
    const { method, path } = req;
    const summary = newSummary({ kind: "request", id: requestId(res), method, path });
    (res.locals as Locals).summary = summary;
    telemetry.emit("begun", summary, req.headers);
    if (summary.traceContext !== null) res.set("traceresponse", summary.traceContext.traceparent);
    // A response closes when its last byte is handed to the socket, and when the client leaves.
    res.once("close", () => {
      conclude(summary, req, res);
      summary.caller = callerOf(res);
      whenComplete(summary, () => end(summary));
    });
    next();
  };
}

/** The summary of the request that `res` answers. */
export function summaryOf(res: Response): Summary {
  return (res.locals as Locals).summary;
}

interface Locals {
  summary: Summary;
}

function conclude(summary: Summary, req: Request, res: Response): void {
  summary.endedAt = performance.now();
  summary.left = !res.writableFinished;
  summary.replayed = res.get("Idempotent-Replayed") === "true";
  // An error has set its own: a stream that fails midway has begun with 200.
  if (summary.status === null && res.headersSent) summary.status = res.statusCode;
  const { openapi } = req as { openapi?: { openApiRoute?: string } };
  summary.route = openapi?.openApiRoute ?? null;
}
