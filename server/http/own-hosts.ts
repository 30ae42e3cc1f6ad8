import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import type { RequestHandler } from "express";
import { PublicError } from "../errors/errors.js";
import type { Config } from "../settings/config.js";

/**
 * Refuses requests to a host that is not this server's. Without keys anybody who reaches the server may call it, and so
 * may a page in the user's browser whose host name was made to resolve to this server (DNS rebinding): to the browser
 * that is the page's own origin. The `Host` header still has the page's name.
 *
 * Own are localhost and the loopback addresses, the address that the request came to, the host that the server listens
 * on, and the allowed names. A server that listens on all addresses takes any address: it can't know the ones that a
 * container or a router has in front of it, and no address can be rebound, since the browser connects to it as it is.
 */
export function requireOwnHost({
  host,
  allowedHosts,
}: Pick<Config, "host" | "allowedHosts">): RequestHandler {
  const bound = host.toLowerCase();
  const takesAddresses = bound === "0.0.0.0" || bound === "::";
  if (allowedHosts === "*") return (_req, _res, next) => next();
  const names = allowedHosts === "none" ? [] : allowedHosts;
  const isOwn = (name: string, req: IncomingMessage) => {
    if (name === bound || names.some((allowed) => matches(name, allowed))) return true;
    const address = name.replace(/^\[(.*)\]$/, "$1");
    if (isIP(address) === 0) return name === "localhost" || name.endsWith(".localhost");
    const local = req.socket.localAddress?.replace(/^::ffff:(?=\d+\.)/, "");
    return takesAddresses || address === "::1" || address.startsWith("127.") || address === local;
  };
  return (req, _res, next) => {
    const name = nameOf(req.headers.host ?? "");
    if (name === null || !isOwn(name, req)) throw new PublicError("misdirected");
    next();
  };
}

/** The host of `host:port` in lower case, without a dot at its end; null if it is none, or has a user name. */
function nameOf(authority: string): string | null {
  const [, name] = /^(\[[\da-f:.]+\]|[\w-]+(?:\.[\w-]+)*\.?)(?::\d*)?$/i.exec(authority) ?? [];
  if (name === undefined) return null;
  if (!name.startsWith("[")) return name.toLowerCase().replace(/\.$/, "");
  return URL.canParse(`http://${name}`) ? new URL(`http://${name}`).hostname : null;
}

function matches(name: string, allowed: string): boolean {
  return allowed.startsWith(".") ? name.endsWith(allowed) || name === allowed.slice(1) : name === allowed;
}
