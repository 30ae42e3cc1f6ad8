import { invalidBody } from "../errors/errors.js";

/** A body as JSON. @throws PublicError 422 for one of so many levels that it can be read, but not written */
export function bodyText(body: unknown): string {
  try {
    return JSON.stringify(body ?? null);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw invalidBody({ loc: ["body"], msg: "Value error, expected fewer levels", type: "value_error" });
  }
}
