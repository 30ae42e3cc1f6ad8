import assert from "node:assert/strict";
import { test } from "node:test";
import { trimmer } from "./answer.js";

for (const pieces of [
  [" \n", " a", "b ", "\n", " c\n", "\n"],
  ["a b"],
  ["", "  "],
  ["a", "", " ", "", "b"],
]) {
  test(`white space at the ends of ${JSON.stringify(pieces)} is dropped, and none within`, () => {
    const pass = trimmer();
    assert.equal(pieces.map(pass).join(""), pieces.join("").trim());
  });
}
