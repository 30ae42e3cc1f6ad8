import assert from "node:assert/strict";
import { test } from "node:test";
import { BYTE_ALPHABET, fromSymbols, toSymbols } from "./byte-alphabet.js";

test("bytes that print stand for themselves, and others for what prints", () => {
  assert.equal(toSymbols("a b\n"), "aĠbĊ");
  assert.equal(new Set(BYTE_ALPHABET).size, 256);
});

test("symbols stand for the bytes that they were made of, and other characters for none", () => {
  const text = "가 é 😀 \u0000\u007f\u00ad";
  assert.deepEqual(Buffer.from(fromSymbols(toSymbols(text))!), Buffer.from(text));
  assert.deepEqual(fromSymbols(""), new Uint8Array());
  for (const token of ["가", "a b", "😀"]) assert.equal(fromSymbols(token), null);
});
