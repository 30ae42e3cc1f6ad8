import type { RequestHandler } from "express";
import helmet from "helmet";

/** Headers that forbid a browser to run, frame or sniff an answer. The documentation's pages widen the policy. */
export function securityHeaders(): RequestHandler {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
    xFrameOptions: { action: "deny" },
    // HSTS binds a whole domain, subdomains included, for a year: left to the proxy, which has the certificate.
    strictTransportSecurity: false,
  });
}
