import assert from "node:assert/strict";
import { test } from "node:test";
import { hasTooManyParts } from "./json-parts.js";

const isTooMany = (json: string, most: number) => hasTooManyParts(Buffer.from(json), most);

test("counts objects and lists", () => {
  assert.equal(isTooMany('{"a": [1, {}], "b": []}', 4), false);
  assert.equal(isTooMany('{"a": [1, {}], "b": []}', 3), true);
});

test("brackets within strings are text", () => {
  assert.equal(isTooMany(String.raw`["[[{{", "\"[", "\\", "한[글"]`, 1), false);
  assert.equal(isTooMany(String.raw`["\\", []]`, 1), true);
});
