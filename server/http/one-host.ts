import type { RequestHandler } from "express";
import { PublicError } from "../errors/errors.js";

/**
 * Refuses a request with several Host headers, as RFC 9112 (3.2) asks: Node takes the first, but a proxy in front may
 * have taken another. The connection is closed after the answer.
 */
export function requireOneHost(): RequestHandler {
  return ({ rawHeaders }, _res, next) => {
    const hosts = rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === "host");
    if (hosts.length > 1) throw new PublicError("malformed_request", { headers: { Connection: "close" } });
    next();
  };
}
