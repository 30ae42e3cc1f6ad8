import assert from "node:assert/strict";
import { test } from "node:test";
import { shown } from "./fields.js";

test("a short value is shown whole, a long one cut", () => {
  assert.equal(shown(undefined), "nothing");
  assert.equal(shown({ a: [1, null, { b: "c" }] }), '{"a":[1,null,{"b":"c"}]}');
  assert.equal(shown("x".repeat(58)), `"${"x".repeat(58)}"`);
  assert.equal(shown("x".repeat(59)), `"${"x".repeat(56)}...`);
});

test("a value nested without end is shown like any long one", () => {
  const lists = JSON.parse(`${"[".repeat(100_000)}${"]".repeat(100_000)}`);
  assert.equal(shown(lists), `${"[".repeat(57)}...`);
  const objects = JSON.parse(`${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`);
  assert.equal(shown(objects), `${'{"a":'.repeat(12).slice(0, 57)}...`);
});

test("thirty levels, which just fit, are shown whole", () => {
  const text = `${"[".repeat(30)}${"]".repeat(30)}`;
  assert.equal(shown(JSON.parse(text)), text);
});
