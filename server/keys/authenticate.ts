import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { ErrorRequestHandler, RequestHandler, Response } from "express";
import { type ErrorCode, PublicError } from "../errors/errors.js";
import type { Caller } from "./caller.js";
import type { Callers } from "./callers.js";
import { rateLimitHeaders } from "./rate-limit-headers.js";

/**
 * Refuses requests without a valid key if keys are set, for any path and method, before anything else is done. Sets
 * `res.locals.caller`, counts POST requests against the key's limit, and adds the rate limit headers to every answer.
 * @param open paths that need no key for GET and HEAD
 */
export function authenticate(callers: Callers, open: ReadonlySet<string>): RequestHandler {
  return (req, res, next) => {
    if ((req.method === "GET" || req.method === "HEAD") && open.has(req.path)) {
      (res.locals as Locals).caller = callers.anonymous;
      return next();
    }
    const caller = callers.identify(presentedKey(req.headers));
    if (caller === null) throw new PublicError("unauthorized", { headers: { "WWW-Authenticate": "Bearer" } });
    (res.locals as Locals).caller = caller;
    sendLimits(res, caller);
    if (req.method === "POST") caller.arrive();
    next();
  };
}

const refusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "over_quota",
  "rate_limited",
  "tokens_limited",
  "quota_used_up",
  "concurrency_limited",
]);

/** Counts requests refused for their key's limits. (Jobs that reach a limit aren't counted: they run later.) */
export function countRefusals(): ErrorRequestHandler {
  return (error, _req, res, next) => {
    if (error instanceof PublicError && refusals.has(error.code)) callerOf(res).ledger.add({ refused: 1 });
    next(error);
  };
}

/** The caller of the request that `res` answers. */
export function callerOf(res: Response): Caller {
  return (res.locals as Locals).caller;
}

/** Whether a request's key is still valid: an answer that goes on for hours must end with its key. */
export function hasValidKey(callers: Callers, req: IncomingMessage): boolean {
  return callers.identify(presentedKey(req.headers)) !== null;
}

interface Locals {
  caller: Caller;
}

/** X-API-Key wins: Authorization may be meant for a proxy in front. */
function presentedKey({ "x-api-key": key, authorization }: IncomingHttpHeaders): string | undefined {
  return (key as string | undefined) ?? /^bearer +([^ ]+)$/i.exec(authorization ?? "")?.[1];
}

/** Sets the rate limit headers at the last moment, so that they include this request's own use. */
function sendLimits(res: Response, caller: Caller): void {
  const writeHead = res.writeHead;
  res.writeHead = function (this: Response, ...head: unknown[]) {
    for (const [name, value] of rateLimitHeaders(caller.allowances)) this.setHeader(name, value);
    return Reflect.apply(writeHead, this, head);
  } as Response["writeHead"];
}
