import assert from "node:assert/strict";
import { test } from "node:test";
import * as rust from "tokenizers";
import { compileNormalizer } from "./normalizers.js";
import { compilePreTokenizer } from "./pre-tokenizers.js";

/** Every character of the planes that have any, each with letters, digits, signs and spaces beside it, in batches. */
function* everyCharacter(): Generator<string> {
  for (const [first, last] of [
    [0x0, 0xd7ff],
    [0xe000, 0x323ff],
    [0xe0000, 0xe01ff],
  ] as const)
    for (let start = first; start <= last; start += 0x2000) {
      let batch = "";
      for (let code = start; code < Math.min(start + 0x2000, last + 1); code++) {
        const character = String.fromCodePoint(code);
        batch += `a${character}b1${character}2-${character}\u0327`;
      }
      yield batch;
    }
}

for (const [json, oracle] of [
  [{ type: "Whitespace" }, rust.whitespacePreTokenizer()],
  [{ type: "ByteLevel", add_prefix_space: false }, rust.byteLevelPreTokenizer(false, true)],
  [{ type: "Digits", individual_digits: true }, rust.digitsPreTokenizer(true)],
  [{ type: "Punctuation" }, rust.punctuationPreTokenizer()],
] as const)
  test(`${json.type} splits at every character as the Rust library does`, () => {
    const split = compilePreTokenizer(json);
    for (const text of everyCharacter()) {
      const expected = oracle.preTokenizeString(text).map(([piece]) => piece);
      const actual = split(text, true);
      const wrong = expected.findIndex((piece, i) => piece !== actual[i]);
      assert.equal(actual[wrong], expected[wrong]);
      assert.equal(actual.length, expected.length);
    }
  });

for (const [json, oracle] of [
  [{ type: "NFC" }, rust.nfcNormalizer()],
  [{ type: "NFD" }, rust.nfdNormalizer()],
  [{ type: "NFKC" }, rust.nfkcNormalizer()],
  [{ type: "NFKD" }, rust.nfkdNormalizer()],
  [{ type: "Lowercase" }, rust.lowercase()],
  [{ type: "StripAccents" }, rust.stripAccentsNormalizer()],
] as const)
  test(`${json.type} changes every character as the Rust library does`, () => {
    const normalize = compileNormalizer(json);
    for (const text of everyCharacter()) assert.ok(normalize(text) === oracle.normalizeString(text));
  });
