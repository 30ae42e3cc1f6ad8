import type { IncomingHttpHeaders } from "node:http";
import type { ErrorRequestHandler, RequestHandler, Response } from "express";
import { type ErrorCode, PublicError } from "../errors/errors.js";
import type { Caller } from "./caller.js";
import type { Callers } from "./callers.js";
import { rateLimitHeaders } from "./rate-limit-headers.js";

/**
 * Lets nobody pass without a key, where keys are set, whatever the path and method, before anything else is looked at.
 * Sets `res.locals.caller`, counts what is posted against the key's limit, and tells the limits on every answer.
 * @param open paths that need no key, to GET and HEAD
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
    tellLimits(res, caller);
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

/** Counts requests that are answered with a refusal of their key's limits: a job that meets one is only put off. */
export function countRefusals(): ErrorRequestHandler {
  return (error, _req, res, next) => {
    if (error instanceof PublicError && refusals.has(error.code)) callerOf(res).ledger.add({ refused: 1 });
    next(error);
  };
}

/** Whoever sent the request that this answers. */
export function callerOf(res: Response): Caller {
  return (res.locals as Locals).caller;
}

interface Locals {
  caller: Caller;
}

/** X-API-Key comes first: Authorization may be meant for a proxy on the way. */
function presentedKey({ "x-api-key": key, authorization }: IncomingHttpHeaders): string | undefined {
  return (key as string | undefined) ?? /^bearer +([^ ]+)$/i.exec(authorization ?? "")?.[1];
}

/** As late as can be, so that they tell what this request itself has taken. */
function tellLimits(res: Response, caller: Caller): void {
  const writeHead = res.writeHead;
  res.writeHead = function (this: Response, ...head: unknown[]) {
    for (const [name, value] of rateLimitHeaders(caller.allowances)) this.setHeader(name, value);
    return Reflect.apply(writeHead, this, head);
  } as Response["writeHead"];
}
