import type { RequestHandler } from "express";
import { PublicError } from "../errors/errors.js";

/**
 * Refuses a request with several Host headers, as RFC 9112 (3.2) asks: Node takes the first, but a proxy in front may
 * have taken another. One of HTTP/1.1 without any is refused too: Node's own refusal would have no body. The connection
 * is closed after the answer.
 */
export function requireOneHost(): RequestHandler {
  return ({ rawHeaders, httpVersion }, _res, next) => {
    const hosts = rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === "host");
    if (hosts.length > 1 || (hosts.length === 0 && httpVersion === "1.1"))
      throw new PublicError("malformed_request", { headers: { Connection: "close" } });
    next();
  };
}
