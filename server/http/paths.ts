import type { RequestHandler } from "express";
import { PublicError } from "../errors/errors.js";
import type { Document } from "./document.js";

/**
 * Answers every request that openapi.yaml has no operation for, before anything else is done: 404, 405 with `Allow`,
 * OPTIONS, and FastAPI's redirect from a path with a trailing slash to the one without.
 * @param pageAssets paths that are served but not in openapi.yaml
 */
export function knownPaths(document: Document, pageAssets: readonly string[]): RequestHandler {
  const paths = new PathTable<string[]>();
  for (const [path, operations] of Object.entries(document.paths)) {
    const methods = Object.keys(operations).map((method) => method.toUpperCase());
    paths.set(path, [...methods, ...(methods.includes("GET") ? ["HEAD"] : []), "OPTIONS"]);
  }
  for (const path of pageAssets) paths.set(path, ["GET", "HEAD", "OPTIONS"]);
  return (req, res, next) => {
    const { path } = req;
    const methods = paths.get(path);
    if (!isDecodable(path)) throw new PublicError("malformed_url");
    if (methods === undefined) {
      const stripped = path.replace(/\/$/, "");
      if (paths.get(stripped)) return res.redirect(307, stripped + req.url.slice(path.length));
      throw new PublicError("not_found");
    }
    if (!methods.includes(req.method)) {
      throw new PublicError("method_not_allowed", { headers: { Allow: methods.join(", ") } });
    }
    if (req.method === "OPTIONS") return res.set("Allow", methods.join(", ")).sendStatus(204);
    next();
  };
}

/** A path of openapi.yaml in Express's syntax: `/v1/models/{model}` becomes `/v1/models/:model`. */
export function expressPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ":$1");
}

/** Maps openapi.yaml's paths to values. An exact path comes before a template that also matches. */
export class PathTable<T> {
  readonly #exact = new Map<string, T>();
  readonly #templates: { form: RegExp; value: T }[] = [];

  set(path: string, value: T): void {
    if (!path.includes("{")) {
      this.#exact.set(path, value);
      return;
    }
    const parts = path.split(/\{\w+\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    this.#templates.push({ form: new RegExp(`^${parts.join("[^/]+")}$`), value });
  }

  /** @param path as in the request, still percent-encoded */
  get(path: string): T | undefined {
    return this.#exact.get(path) ?? this.#templates.find(({ form }) => form.test(path))?.value;
  }
}

function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}
