import type { Request } from "express";
import { MOST_LISTED } from "../errors/errors.js";
import type { Finding } from "../errors/field-error.js";
import { type Document, parametersOf, requestSchema, resolve, type Schema } from "./document.js";

/** An error of express-openapi-validator. */
interface ValidationError {
  status?: number;
  /**
   * `errorCode` is ajv's keyword with a suffix: `minimum.openapi.validation`. A parameter with characters that must be
   * encoded has none.
   */
  errors?: { path: string; message: string; errorCode?: string }[];
}

/** What was found wrong with a request. */
interface Findings {
  list: Finding[];
  /** How many findings are not in the list. */
  unlisted: number;
}

/** What express-openapi-validator adds to a request. */
interface MatchedRequest extends Request {
  openapi?: { openApiRoute: string };
}

/**
 * What express-openapi-validator found wrong with a request; null for any other error. It reports which keyword of a schema
 * does not hold, but not the keyword's value, which comes from openapi.yaml.
 */
export function validationFindings(thrown: unknown, req: Request, document: Document): Findings | null {
  const { status, errors } = (thrown ?? {}) as ValidationError;
  if (status !== 400 || !Array.isArray(errors)) return null;
  const list = errors.slice(0, MOST_LISTED).map(({ path, message, errorCode = "" }) => {
    const keyword = errorCode.split(".", 1)[0]!;
    return { path, keyword, expected: schemaAt(path, req, document)?.[keyword as keyof Schema], message };
  });
  return { list, unlisted: errors.length - list.length };
}

/** @param pointer into the request: `/body/stop/1`, `/query/limit` */
function schemaAt(pointer: string, req: MatchedRequest, document: Document): Schema | undefined {
  const [, where, ...names] = pointer.split("/");
  const route = req.openapi?.openApiRoute ?? "";
  if (where !== "body")
    return parametersOf(document, route, req.method).find(({ name }) => name.toLowerCase() === names[0])
      ?.schema;
  return names.reduce<Schema | undefined>(
    (schema, name) => {
      const { properties, items, additionalProperties } = schema ?? {};
      const next = properties?.[name] ?? items ?? additionalProperties;
      return typeof next === "object" ? resolve(next, document) : undefined;
    },
    requestSchema(document, route),
  );
}
