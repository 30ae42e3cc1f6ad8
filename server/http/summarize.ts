import type { Request, RequestHandler, Response } from "express";
import { worded } from "../errors/openai-error.js";
import type { Log } from "../log.js";
import { endedFields, endedLine } from "../telemetry/ended-line.js";
import { newSummary, type Summary, whenComplete } from "../telemetry/summary.js";
import type { Telemetry } from "../telemetry/telemetry.js";
import { type ProtocolRefusal, pathOf } from "./protocol-errors.js";
import { bounded, refusalLine } from "./refusal-line.js";
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
    const { id, method, path } = summary;
    log[levelOf(summary)](
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

function levelOf({ method, path, status, error }: Summary): "error" | "info" | "debug" {
  const isRead = method === "GET" || method === "HEAD";
  const isQuiet = isRead && (error === null || probes.has(path));
  return status === 500 ? "error" : isQuiet ? "debug" : "info";
}

/**
 * Does the same for what is refused before the app sees it, since it is no valid HTTP. A connection on which nothing came
 * in time has a line at the level debug: a browser opens some that it doesn't use.
 */
export function summarizeRefusals(telemetry: Telemetry, log: Log): (refusal: ProtocolRefusal) => void {
  return ({ id, error: refusal, request, response }) => {
    const { code } = refusal;
    const method = request?.method ?? "";
    const path = request === null ? "" : pathOf(request);
    const { status } = worded(refusal, path);
    const ended = { status, error: { code, told: refusalLine(refusal, path, log.hidesPrompts), stack: "" } };
    const locals = (response as (ProtocolRefusal["response"] & { locals?: Partial<Locals> }) | null)?.locals;
    if (locals?.summary) {
      // The app has seen its headers, and tells of its end.
      Object.assign(locals.summary, ended);
      locals.isRefused = true;
      return;
    }
    const summary = { ...newSummary({ kind: "request", id, method, path }), ...ended };
    telemetry.emit("ended", summary);
    const what = request === null ? "unreadable request" : `${method} ${bounded(path, LONGEST_PATH)}`;
    log[request === null && code === "request_timeout" ? "debug" : levelOf(summary)](
      `${id} - ${what}: ${endedLine(summary)}`,
      { ...endedFields(summary), ...(request === null && { method: null, path: null }) },
    );
  };
}

/** The summary of the request that `res` answers. */
export function summaryOf(res: Response): Summary {
  return (res.locals as Locals).summary;
}

interface Locals {
  summary: Summary;
  /** Whether the rest of its body was no valid HTTP, so that it was answered past the app. */
  isRefused?: boolean;
}

function conclude(summary: Summary, req: Request, res: Response): void {
  summary.endedAt = performance.now();
  summary.left = !res.writableFinished && !(res.locals as Locals).isRefused;
  summary.replayed = res.get("Idempotent-Replayed") === "true";
  // An error has set its own: a stream that fails midway has begun with 200.
  if (summary.status === null && res.headersSent) summary.status = res.statusCode;
  const { openapi } = req as { openapi?: { openApiRoute?: string } };
  summary.route = openapi?.openApiRoute ?? null;
}
