import type { FieldError } from "./errors.js";

/** One finding of express-openapi-validator. */
export interface Finding {
  /** JSON pointer into the request: `/body/max_tokens`. */
  path: string;
  /** ajv's words: `must be >= 1`. */
  message: string;
  /** ajv's keyword: `minimum.openapi.validation`. */
  errorCode?: string | undefined;
}

/** Words a finding as pydantic 2 does, which FastAPI's clients know. `body` is the request body that was validated. */
export function fieldError(finding: Finding, body: unknown): FieldError {
  const loc = finding.path
    .split("/")
    .slice(1)
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
  const [keyword] = (finding.errorCode ?? "").split(".", 1);
  return { loc, ...describe(keyword ?? "", finding.message, valueAt(body, loc.slice(1))) };
}

type Description = Pick<FieldError, "msg" | "type">;

function describe(keyword: string, message: string, value: unknown): Description {
  // The validator passes on only ajv's sentence, so the limit is read from it.
  const limit = Number(/-?\d+(\.\d+)?(e[+-]?\d+)?/.exec(message)?.[0]);
  switch (keyword) {
    case "required":
      return { type: "missing", msg: "Field required" };
    case "type":
      // Nullable fields are null by default: clients needn't read about it.
      return wrongType(message.replace("must be ", "").replace(",null", ""), value);
    case "minimum":
      return { type: "greater_than_equal", msg: `Input should be greater than or equal to ${limit}` };
    case "maximum":
      return { type: "less_than_equal", msg: `Input should be less than or equal to ${limit}` };
    case "minLength":
      return { type: "string_too_short", msg: `String should have at least ${count(limit, "character")}` };
    case "maxLength":
      return { type: "string_too_long", msg: `String should have at most ${count(limit, "character")}` };
    case "minItems": {
      const length = (value as unknown[]).length;
      return {
        type: "too_short",
        msg: `List should have at least ${count(limit, "item")} after validation, not ${length}`,
      };
    }
    case "maxItems": {
      const length = (value as unknown[]).length;
      return {
        type: "too_long",
        msg: `List should have at most ${count(limit, "item")} after validation, not ${length}`,
      };
    }
    default:
      return { type: "value_error", msg: `Value error, ${message}` };
  }
}

function wrongType(expected: string, value: unknown): Description {
  if (typeof value === "number" && !Number.isFinite(value))
    return { type: "finite_number", msg: "Input should be a finite number" };
  switch (expected) {
    case "integer":
      if (typeof value === "string")
        return {
          type: "int_parsing",
          msg: "Input should be a valid integer, unable to parse string as an integer",
        };
      if (typeof value === "number")
        return {
          type: "int_from_float",
          msg: "Input should be a valid integer, got a number with a fractional part",
        };
      return { type: "int_type", msg: "Input should be a valid integer" };
    case "number":
      if (typeof value === "string")
        return {
          type: "float_parsing",
          msg: "Input should be a valid number, unable to parse string as a number",
        };
      return { type: "float_type", msg: "Input should be a valid number" };
    case "string":
      return { type: "string_type", msg: "Input should be a valid string" };
    case "boolean":
      return { type: "bool_type", msg: "Input should be a valid boolean" };
    case "string,array":
      return { type: "string_type", msg: "Input should be a valid string or list of strings" };
    case "object":
      return {
        type: "model_attributes_type",
        msg: "Input should be a valid dictionary or object to extract fields from",
      };
    default:
      return { type: "value_error", msg: `Value error, expected ${expected}` };
  }
}

const count = (n: number, noun: string) => `${n} ${noun}${n === 1 ? "" : "s"}`;

function valueAt(body: unknown, path: (string | number)[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<string | number, unknown>)?.[key], body);
}
