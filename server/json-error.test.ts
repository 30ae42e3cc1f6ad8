import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonErrorAt } from "./json-error.js";

for (const [text, at] of [
  ["", 0],
  ["  ", 2],
  ["prompt=x", 0],
  ['{"prompt": "x"', 14],
  ['{"prompt": "x",}', 15],
  ['{"prompt": NaN}', 11],
  ["{'prompt': 1}", 1],
  ['{"prompt" "x"}', 10],
  ['{"prompt": "x"} {}', 16],
  ['{"prompt": "a\nb"}', 11],
  ['{"prompt": "\\q"}', 11],
  ['{"prompt": "x', 11],
  ["[1, 2", 5],
  ["[1 2]", 3],
  ["[1,]", 3],
  ["{]", 1],
  ["[}", 1],
  ["01", 0],
  ["nul", 0],
  ["]", 0],
] as const) {
  test(`the error in ${JSON.stringify(text)} is at ${at}`, () => {
    assert.throws(() => JSON.parse(text));
    assert.equal(jsonErrorAt(text), at);
  });
}

test("with one token missing, the error is at the gap or after it", () => {
  const tokens = '{ "a" : [ 1 , true , { "b" : null } ] , "c" : { } }'.split(" ");
  for (let drop = 0; drop < tokens.length; drop++) {
    const text = tokens.filter((_, index) => index !== drop).join(" ");
    try {
      JSON.parse(text);
    } catch {
      const prefix = tokens.slice(0, drop).join(" ");
      assert.ok(jsonErrorAt(text) >= prefix.length, text);
    }
  }
});

test("fifty thousand open brackets give an error at the text's end", () => {
  assert.equal(jsonErrorAt("[".repeat(50_000)), 50_000);
});
