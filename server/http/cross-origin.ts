import cors from "cors";
import type { RequestHandler } from "express";

/** Headers that a page's script may read, beside those that every script may. */
const exposedHeaders = [
  "Location",
  "Retry-After",
  "X-Request-Id",
  "X-Queue-Position",
  "X-Queue-Time",
  "x-ratelimit-limit-requests",
  "x-ratelimit-remaining-requests",
  "x-ratelimit-reset-requests",
  "x-ratelimit-limit-tokens",
  "x-ratelimit-remaining-tokens",
  "x-ratelimit-reset-tokens",
];

/**
 * Lets scripts of these origins call, and answers the browser's question whether they may (the preflight), which carries
 * no key. Cookies are not asked for, and mean nothing here.
 */
export function crossOrigin(origins: readonly string[] | "*"): RequestHandler {
  const answer = cors({
    origin: origins === "*" ? "*" : [...origins],
    methods: ["GET", "HEAD", "POST", "DELETE"],
    // Which headers a request may have is left to the browser: the clients for browsers send many of their own.
    exposedHeaders,
    maxAge: 600,
    preflightContinue: true,
  });
  return (req, res, next) => {
    answer(req, res, (error) => {
      if (error || !isPreflight(req)) return next(error);
      res.status(204).end();
    });
  };
}

function isPreflight({ method, headers }: Parameters<RequestHandler>[0]): boolean {
  return (
    method === "OPTIONS" &&
    headers.origin !== undefined &&
    headers["access-control-request-method"] !== undefined
  );
}
