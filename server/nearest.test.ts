import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest } from "./nearest.js";

const known = ["max_tokens", "temperature", "top_k", "top_p", "stop"];

for (const [name, what] of [
  ["max_token", "a missing character"],
  ["max_tokenss", "an extra character"],
  ["max-tokens", "a wrong character"],
  ["max_toekns", "two swapped characters"],
  ["max_tokens", "no difference"],
] as const)
  test(`${what} is at most one edit`, () => assert.equal(nearest(name, known, 1), "max_tokens"));

test("names beyond the allowed edits don't count, and the nearest of several wins", () => {
  assert.equal(nearest("tempertaure", known, 1), "temperature");
  assert.equal(nearest("maxtoken", known, 1), null);
  assert.equal(nearest("maxtoken", known, 2), "max_tokens");
  assert.equal(nearest("stop_", ["top_k", "stop"], 2), "stop");
  assert.equal(nearest("", ["", "a"], 1), "");
  assert.equal(nearest("x".repeat(1e6), known, 1), null);
});
