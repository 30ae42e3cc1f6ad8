import assert from "node:assert/strict";
import { test } from "node:test";
import { fieldError } from "./field-error.js";

const noInteger = "Input should be a valid integer";
const noNumber = "Input should be a valid number";

for (const [keyword, message, value, type, msg] of [
  ["required", "must have required property 'x'", undefined, "missing", "Field required"],
  ["type", "must be string", 5, "string_type", "Input should be a valid string"],
  ["type", "must be integer", true, "int_type", noInteger],
  ["type", "must be integer", "a", "int_parsing", `${noInteger}, unable to parse string as an integer`],
  ["type", "must be integer", 1.5, "int_from_float", `${noInteger}, got a number with a fractional part`],
  ["type", "must be number", "a", "float_parsing", `${noNumber}, unable to parse string as a number`],
  ["type", "must be number", null, "float_type", noNumber],
  ["type", "must be number", Number.POSITIVE_INFINITY, "finite_number", "Input should be a finite number"],
  ["type", "must be boolean", 1, "bool_type", "Input should be a valid boolean"],
  ["minimum", "must be >= -9", -10, "greater_than_equal", "Input should be greater than or equal to -9"],
  ["maximum", "must be <= 4096", 5000, "less_than_equal", "Input should be less than or equal to 4096"],
  [
    "minLength",
    "must NOT have fewer than 1 characters",
    "",
    "string_too_short",
    "String should have at least 1 character",
  ],
  [
    "maxLength",
    "must NOT have more than 5 characters",
    "abcdef",
    "string_too_long",
    "String should have at most 5 characters",
  ],
  [
    "maxItems",
    "must NOT have more than 2 items",
    [1, 2, 3],
    "too_long",
    "List should have at most 2 items after validation, not 3",
  ],
  ["format", 'must match format "x"', "a", "value_error", 'Value error, must match format "x"'],
] as const) {
  test(`${message} (got ${JSON.stringify(value)}) becomes pydantic's ${type}`, () => {
    const finding = { path: "/body/x", message, errorCode: `${keyword}.openapi.validation` };
    assert.deepEqual(fieldError(finding, { x: value }), { loc: ["body", "x"], msg, type });
  });
}

test("a list's entry has its index in loc", () => {
  const finding = { path: "/body/stop/1", message: "must be string", errorCode: "type.openapi.validation" };
  assert.deepEqual(fieldError(finding, { stop: ["a", 5] }).loc, ["body", "stop", 1]);
});
