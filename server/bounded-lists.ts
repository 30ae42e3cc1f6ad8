import type { RequestHandler } from "express";
import { bodyProperties, type Document } from "./document.js";
import { invalidBody } from "./errors.js";
import { fieldError } from "./field-error.js";

/**
 * Refuses a list that is too long before its entries are looked at: the validator goes on to collect an error for each
 * of them, and a body has room for half a million.
 */
export function boundedLists(document: Document, path: string): RequestHandler {
  const bounds = Object.entries(bodyProperties(document, path)).flatMap(([name, { maxItems }]) =>
    maxItems === undefined ? [] : [[name, maxItems] as const],
  );
  return (req, _res, next) => {
    for (const [name, maxItems] of bounds) {
      const value: unknown = req.body?.[name];
      if (!Array.isArray(value) || value.length <= maxItems) continue;
      const message = `must NOT have more than ${maxItems} items`;
      throw invalidBody(fieldError({ path: `/body/${name}`, message, errorCode: "maxItems" }, req.body));
    }
    next();
  };
}
