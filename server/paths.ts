import type { RequestHandler } from "express";
import type { Document } from "./document.js";
import { HttpError } from "./errors.js";
import { pageAssets } from "./routes/docs.js";

/**
 * Answers whatever openapi.yaml has no operation for, before anything else is done for it: 404, 405 with `Allow`, OPTIONS,
 * and FastAPI's redirect from a path with a slash at its end to the one without.
 */
export function knownPaths(document: Document): RequestHandler {
  const allowed = new Map(
    Object.entries(document.paths).map(([path, operations]) => {
      const methods = Object.keys(operations).map((method) => method.toUpperCase());
      return [path, [...methods, ...(methods.includes("GET") ? ["HEAD"] : []), "OPTIONS"]];
    }),
  );
  for (const path of pageAssets) allowed.set(path, ["GET", "HEAD", "OPTIONS"]);
  const templates = [...allowed].flatMap(([path, methods]) =>
    path.includes("{") ? [{ form: formOf(path), methods }] : [],
  );
  const methodsOf = (path: string) =>
    allowed.get(path) ?? templates.find(({ form }) => form.test(path))?.methods;
  return (req, res, next) => {
    const { path } = req;
    const methods = methodsOf(path);
    if (!isDecodable(path)) throw new HttpError("malformed_url");
    if (methods === undefined) {
      const stripped = path.replace(/\/$/, "");
      if (methodsOf(stripped) !== undefined) return res.redirect(307, stripped + req.url.slice(path.length));
      throw new HttpError("not_found");
    }
    if (!methods.includes(req.method)) {
      throw new HttpError("method_not_allowed", { Allow: methods.join(", ") });
    }
    if (req.method === "OPTIONS") return res.set("Allow", methods.join(", ")).sendStatus(204);
    next();
  };
}

/** What the paths look like that a template of openapi.yaml, `/jobs/{id}`, stands for. */
function formOf(template: string): RegExp {
  const parts = template
    .split("/")
    .map((part) => (part.startsWith("{") ? "[^/]+" : part.replace(/[^\w-]/g, "\\$&")));
  return new RegExp(`^${parts.join("/")}$`);
}

function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}
