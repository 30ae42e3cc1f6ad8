import assert from "node:assert/strict";
import { test } from "node:test";
import { byteSymbols, isWholeText } from "./byte-symbols.js";

test("bytes that print stand for themselves, and others for what prints", () => {
  assert.equal(byteSymbols("a b\n"), "aĠbĊ");
});

test("whole characters are told from parts of them", () => {
  const symbols = byteSymbols("가");
  assert.ok(isWholeText(symbols));
  assert.ok(!isWholeText(symbols.slice(0, 2)));
  assert.ok(!isWholeText("가"), "no symbol at all");
});
