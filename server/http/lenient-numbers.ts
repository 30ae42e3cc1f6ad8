import { bodyProperties, type Document } from "./document.js";

/** Longest text that is read as a number. No valid number of a field is longer. */
const longest = 40;
/** The operations that the replaced FastAPI server had. Clients of the others don't expect this. */
const lenientPaths = ["/generate", "/chat"];

/**
 * Reads `"5"` as 5 where a field is a number, as the replaced FastAPI server did; everything else is left for the
 * validator to refuse. (ajv's own coercion would also read true as 1, null as 0 and 5 as "5".)
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
