import { invalidBody } from "../errors/errors.js";
import { fieldError } from "../errors/field-error.js";
import { type Document, requestSchema, resolve, type Schema } from "./document.js";

/**
 * Refuses a list or a map that is too long, and a list that has an entry of a wrong type, with one error. It runs before
 * the validator, which would collect an error for each entry, and a body has room for half a million.
 * @throws PublicError 422
 */
export function listBounds(document: Document, path: string): (body: unknown) => void {
  const check = checker(requestSchema(document, path), document);
  return (body) => check?.(body, "/body", body);
}

/** `pointer` is the value's position in `body`. */
type Check = (value: unknown, pointer: string, body: unknown) => void;

/** null where the schema has no lists. */
function checker(reference: Schema, document: Document): Check | null {
  const schema = resolve(reference, document);
  const fields = Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const check = checker(property, document);
    return check === null ? [] : [[name, check] as const];
  });
  const list = schema.items && listChecker(schema.items, schema.maxItems, document);
  const { maxProperties } = schema;
  if (fields.length === 0 && !list && maxProperties === undefined) return null;
  return (value, pointer, body) => {
    if (Array.isArray(value)) return list?.(value, pointer, body);
    if (typeof value !== "object" || value === null) return;
    if (maxProperties !== undefined && Object.keys(value).length > maxProperties) {
      const message = `must NOT have more than ${maxProperties} properties`;
      const finding = { path: pointer, keyword: "maxProperties", expected: maxProperties, message };
      throw invalidBody(fieldError(finding, body));
    }
    for (const [name, check] of fields)
      check((value as Record<string, unknown>)[name], `${pointer}/${name}`, body);
  };
}

function listChecker(reference: Schema, maxItems = Number.POSITIVE_INFINITY, document: Document) {
  const { type } = resolve(reference, document);
  const check = checker(reference, document);
  return (list: unknown[], pointer: string, body: unknown): void => {
    const refuse = (path: string, keyword: string, expected: unknown) =>
      invalidBody(fieldError({ path, keyword, expected, message: "" }, body));
    if (list.length > maxItems) throw refuse(pointer, "maxItems", maxItems);
    const types = type === undefined ? null : [type].flat();
    const wrong = types === null ? -1 : list.findIndex((entry) => !types.some((one) => isA(one, entry)));
    if (wrong >= 0) throw refuse(`${pointer}/${wrong}`, "type", types);
    if (check !== null)
      for (const [index, entry] of list.entries()) check(entry, `${pointer}/${index}`, body);
  };
}

function isA(type: string, value: unknown): boolean {
  switch (type) {
    case "integer":
      return Number.isInteger(value);
    case "array":
      return Array.isArray(value);
    case "null":
      return value === null;
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    default:
      return typeof value === type;
  }
}
