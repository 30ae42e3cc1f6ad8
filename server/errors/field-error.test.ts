import assert from "node:assert/strict";
import { test } from "node:test";
import { fieldError } from "./field-error.js";

const noInteger = "Input should be a valid integer";
const noNumber = "Input should be a valid number";

for (const [keyword, expected, value, type, msg] of [
  ["required", ["x"], undefined, "missing", "Field required"],
  ["type", "string", 5, "string_type", "Input should be a valid string"],
  ["type", "integer", true, "int_type", noInteger],
  ["type", "integer", "a", "int_parsing", `${noInteger}, unable to parse string as an integer`],
  ["type", "integer", 1.5, "int_from_float", `${noInteger}, got a number with a fractional part`],
  ["type", "number", "a", "float_parsing", `${noNumber}, unable to parse string as a number`],
  ["type", "number", null, "float_type", noNumber],
  ["type", "number", Number.POSITIVE_INFINITY, "finite_number", "Input should be a finite number"],
  ["type", "boolean", 1, "bool_type", "Input should be a valid boolean"],
  ["minimum", -9, -10, "greater_than_equal", "Input should be greater than or equal to -9"],
  ["maximum", 4096, 5000, "less_than_equal", "Input should be less than or equal to 4096"],
  ["minLength", 1, "", "string_too_short", "String should have at least 1 character"],
  ["maxLength", 5, "abcdef", "string_too_long", "String should have at most 5 characters"],
  ["maxItems", 2, [1, 2, 3], "too_long", "List should have at most 2 items after validation, not 3"],
  ["type", ["integer", "null"], {}, "int_type", noInteger],
  [
    "type",
    ["string", "array", "null"],
    5,
    "string_type",
    "Input should be a valid string or list of strings",
  ],
  ["type", ["array", "object"], 5, "value_error", "Value error, expected array or object"],
  ["format", "x", "a", "value_error", "Value error, ajv's words"],
] as const) {
  test(`${keyword} ${expected} (got ${JSON.stringify(value)}) becomes pydantic's ${type}`, () => {
    const finding = { path: "/body/x", keyword, expected, message: "ajv's words" };
    assert.deepEqual(fieldError(finding, { x: value }), { loc: ["body", "x"], msg, type });
  });
}

test("a list's entry has its index in loc", () => {
  const finding = { path: "/body/stop/1", keyword: "type", expected: "string", message: "" };
  assert.deepEqual(fieldError(finding, { stop: ["a", 5] }).loc, ["body", "stop", 1]);
});
