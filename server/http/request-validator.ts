import * as OpenApiValidator from "express-openapi-validator";
import type { Document, Schema } from "./document.js";

type Validator = ReturnType<typeof OpenApiValidator.middleware>;

const validators = new WeakMap<Document, Map<boolean, Validator>>();

/**
 * Validates requests against openapi.yaml, and fills in the defaults. Preparing it takes 0.1 s, so it is done once per
 * document, however many apps serve it.
 */
export function validator(document: Document, validateResponses: boolean): Validator {
  const known = validators.get(document) ?? new Map<boolean, Validator>();
  validators.set(document, known);
  const made =
    known.get(validateResponses) ??
    OpenApiValidator.middleware({
      // The validator modifies its argument.
      apiSpec: structuredClone(validateResponses ? document : requestsOf(document)) as never,
      validateRequests: { allErrors: true, allowUnknownQueryParameters: true },
      validateResponses,
      // The tests check that the document is valid OpenAPI; here it would be the slowest part of the start.
      validateApiSpec: false,
      validateSecurity: false,
      fileUploader: false,
      // `knownPaths` has refused undocumented paths, all but HEAD and the pages' assets.
      ignoreUndocumented: true,
    });
  known.set(validateResponses, made);
  return made;
}

/** The document without what only answers hold, which the validator would prepare all the same. */
function requestsOf({ components, ...document }: Document): Document {
  const paths: Document["paths"] = {};
  for (const [path, methods] of Object.entries(document.paths)) {
    paths[path] = {};
    for (const [method, operation] of Object.entries(methods))
      paths[path][method] = { ...operation, responses: {} } as typeof operation;
  }
  const { schemas: all, responses: _, ...others } = components;
  const schemas: Record<string, Schema> = {};
  const keep = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, part] of Object.entries(value)) {
      const name = key === "$ref" && /^#\/components\/schemas\/(.+)$/.exec(String(part))?.[1];
      if (!name) keep(part);
      else if (!(name in schemas)) {
        schemas[name] = all[name]!;
        keep(schemas[name]);
      }
    }
  };
  keep([paths, others]);
  return { ...document, paths, components: { ...others, responses: {}, schemas } };
}
