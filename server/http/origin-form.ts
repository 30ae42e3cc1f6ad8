import type { Server } from "node:http";

/**
 * Gives every request's target the form `/path?query`. A target of the form that proxies get, `http://host/path`, has its
 * host moved to the Host header, whose value it replaces (RFC 9112, 3.2.2). Express would answer a target without a path
 * by itself, before the app sees it.
 */
export function toOriginForm(server: Server): void {
  server.on("request", (req) => {
    // A fragment is no part of a target, but Node lets it pass, and readers of the URL differ on it.
    const [url = ""] = req.url!.split("#", 1);
    req.url = url;
    if (url.startsWith("/") || url === "*") return;
    const [, authority, rest = ""] = /^https?:\/\/([^/?#]+)(.*)$/i.exec(url) ?? [];
    // This path can't be decoded, so it is refused as malformed.
    req.url = authority === undefined ? "/%" : rest.startsWith("/") ? rest : `/${rest}`;
    if (authority !== undefined) req.headers.host = authority;
  });
}
