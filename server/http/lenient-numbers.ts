import { bodyProperties, type Document } from "./document.js";

/** No number that a field takes is longer. */
const longest = 40;
/** The operations of the server before; others' clients have never seen a server that does this. */
const lenientPaths = ["/generate", "/chat"];

/**
 * Takes `"5"` for 5 where a field is a number, as pydantic did for the clients of the server before; everything else is
 * left for the validator to refuse. (ajv's own coercion would take true for 1, null for 0 and 5 for "5" too.)
 */
export function takesNumbersAsTexts(document: Document, path: string): (body: unknown) => void {
  const properties = lenientPaths.includes(path) ? bodyProperties(document, path) : {};
  const fields = Object.entries(properties).flatMap(([name, { type }]) => {
    const types = [type].flat();
    if (types.includes("integer")) return [[name, /^[+-]?\d+(?:\.0*)?$/] as const];
    if (types.includes("number")) return [[name, /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/] as const];
    return [];
  });
  return (body) => {
    if (!isRecord(body)) return;
    for (const [name, form] of fields) {
      const value = body[name];
      if (typeof value !== "string" || value.length > longest) continue;
      const number = value.trim();
      if (form.test(number)) body[name] = Number(number);
    }
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
