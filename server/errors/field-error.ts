import type { FieldError } from "./errors.js";

/** One violation of openapi.yaml. */
export interface Finding {
  /** JSON pointer into the request: `/body/max_tokens`. */
  path: string;
  /** The keyword of the schema that does not hold: `minimum`. */
  keyword: string;
  /** Its value in the schema, such as 1. */
  expected: unknown;
  /** ajv's words: `must be >= 1`. */
  message: string;
}

/** Words a finding as pydantic 2 does, which FastAPI's clients know. `body` is the request body that was validated. */
export function fieldError({ path, keyword, expected, message }: Finding, body: unknown): FieldError {
  const loc = path
    .split("/")
    .slice(1)
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
  const value = valueAt(body, loc.slice(1));
  return {
    loc,
    ...(keyword === "type" ? wrongType(expected, value) : describe(keyword, expected, value, message)),
  };
}

type Description = Pick<FieldError, "msg" | "type">;

function describe(keyword: string, limit: unknown, value: unknown, message: string): Description {
  switch (keyword) {
    case "required":
      return { type: "missing", msg: "Field required" };
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

/** @param expected the types of the schema */
function wrongType(expected: unknown, value: unknown): Description {
  if (typeof value === "number" && !Number.isFinite(value))
    return { type: "finite_number", msg: "Input should be a finite number" };
  // Nullable fields are null by default: clients needn't read about it.
  const types = [expected].flat().filter((type) => type !== "null");
  switch (types.join(",")) {
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
      return { type: "value_error", msg: `Value error, expected ${types.join(" or ")}` };
  }
}

const count = (n: unknown, noun: string) => `${n} ${noun}${n === 1 ? "" : "s"}`;

function valueAt(body: unknown, path: (string | number)[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<string | number, unknown>)?.[key], body);
}
