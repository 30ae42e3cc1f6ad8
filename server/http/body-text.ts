import { invalidBody } from "../errors/errors.js";

/** A body as JSON. @throws PublicError 422 for a body so deeply nested that JSON.stringify overflows the stack */
export function bodyText(body: unknown): string {
  try {
    return JSON.stringify(body ?? null);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw invalidBody({ loc: ["body"], msg: "Value error, expected less nesting", type: "value_error" });
  }
}
