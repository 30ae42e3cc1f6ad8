import type { RequestHandler } from "express";
import helmet from "helmet";

/** Headers that keep a browser from taking an answer for more than it is. The pages of the documentation widen the policy. */
export function securityHeaders(): RequestHandler {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
    xFrameOptions: { action: "deny" },
    // Whether a name is served over TLS alone, for a year and with all below it, is for the proxy that has the certificate to say.
    strictTransportSecurity: false,
  });
}
