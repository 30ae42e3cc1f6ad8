import cors from "cors";
import type { RequestHandler } from "express";

/** Headers that scripts may read, beside the few that browsers always expose. */
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
 * Lets scripts of these origins call the server, and answers the browser's preflight requests, which carry no key.
 * Credentials are never allowed: this server uses no cookies.
 */
export function crossOrigin(origins: readonly string[] | "*"): RequestHandler {
  const answer = cors({
    origin: origins === "*" ? "*" : [...origins],
    methods: ["GET", "HEAD", "POST", "DELETE"],
    // No allowedHeaders: cors then allows what the browser asks for. Clients in browsers send many of their own.
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
