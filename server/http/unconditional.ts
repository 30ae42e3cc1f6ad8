import type { RequestHandler } from "express";

/**
 * Ignores conditions (`If-None-Match`) on all but the pages' files: no other answer has an ETag, but Express would still
 * answer `*` with 304.
 */
export function ignoreConditions(pageAssets: readonly string[]): RequestHandler {
  const conditional = new Set(pageAssets);
  return (req, _res, next) => {
    if (!conditional.has(req.path)) delete req.headers["if-none-match"];
    next();
  };
}
