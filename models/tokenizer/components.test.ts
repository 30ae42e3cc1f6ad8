import assert from "node:assert/strict";
import { test } from "node:test";
import * as rust from "tokenizers";
import { randomCases, testSeed } from "../../ops/random-cases.js";
import type { Fields } from "../files/fields.js";
import { randomText } from "../fixtures/tokenizers.js";
import { PRE_TOKENIZER_PATTERN } from "../recipe/bpe.js";
import { mulberry32 } from "../recipe/random.js";
import { knownPatterns, preparePreTokenizers } from "./components.js";
import { SequencePreTokenizer } from "./library.js";
import { prepareNormalizer } from "./normalizer.js";
import { tokenizerJson } from "./tokenizer-json.js";
import { forms } from "./unicode.js";

/** Every character of all planes in use, each beside letters, digits and signs, in batches. */
function* everyCharacter(): Generator<string> {
  for (const [first, last] of [
    [0x0, 0xd7ff],
    [0xe000, 0x33fff],
    [0xe0000, 0xe01ff],
  ] as const)
    for (let start = first; start <= last; start += 0x2000) {
      let batch = "";
      for (let code = start; code < Math.min(start + 0x2000, last + 1); code++) {
        const character = String.fromCodePoint(code);
        batch += `a${character}1${character}- `;
      }
      yield batch;
    }
}

function assertSplitsAlike(json: Fields, texts: Iterable<string>): void {
  const model = { type: "BPE", vocab: { a: 0 }, merges: [] };
  const file = JSON.stringify(tokenizerJson({ pre_tokenizer: json, model }));
  const oracle = rust.Tokenizer.fromString(file).getPreTokenizer()!;
  const ours = new SequencePreTokenizer({ pretokenizers: preparePreTokenizers(json) });
  for (const text of texts) {
    const expected = oracle.preTokenizeString(text).map(([piece]) => piece);
    const actual = ours.pre_tokenize(text);
    const wrong = expected.findIndex((piece, i) => piece !== actual[i]);
    assert.equal(actual[wrong], expected[wrong]);
    assert.equal(actual.length, expected.length);
  }
}

for (const type of forms)
  test(`${type} of every character and of random texts, as the Rust library`, () => {
    const model = { type: "BPE", vocab: { a: 0 }, merges: [] };
    const file = JSON.stringify(tokenizerJson({ normalizer: { type }, model }));
    const oracle = rust.Tokenizer.fromString(file).getNormalizer()!;
    const ours = prepareNormalizer({ type });
    const random = mulberry32(testSeed(1));
    const texts = Array.from({ length: randomCases(1500, 20_000) }, () =>
      randomText(random).replace(/\p{Surrogate}/gu, "\ufffd"),
    );
    // Marks of several classes, next to which every character has to stay or move, join or part.
    const marked = [...everyCharacter()].map((batch) =>
      batch.replaceAll("1", "\u0345\u0334").replaceAll("-", "\u0301"),
    );
    for (const text of [...texts, ...marked]) assert.equal(ours(text), oracle.normalizeString(text));
  });

for (const json of [
  { type: "Whitespace" },
  { type: "WhitespaceSplit" },
  { type: "ByteLevel", add_prefix_space: false, trim_offsets: true },
  { type: "Digits", individual_digits: true },
])
  test(`${json.type} splits at every character as the Rust library does`, () => {
    assertSplitsAlike(json, everyCharacter());
  });

const plainPatterns = [
  PRE_TOKENIZER_PATTERN,
  "[\\p{L}_]+|[^\\p{L}\\p{N}]|\\p{N}{1,2}?",
  "(?<=[가-힣])(?! )[a-z]*|\\(\\?\\++|[\\]\\[]+",
];
for (const Regex of [...knownPatterns, ...plainPatterns])
  test(`Split at ${Regex} as the Rust library does`, () => {
    const random = mulberry32(testSeed(1));
    const texts = Array.from({ length: randomCases(400, 2000) }, () =>
      randomText(random).replace(/\p{Surrogate}/gu, "\ufffd"),
    );
    assertSplitsAlike({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false }, texts);
  });

test("a Regex that Rust and JavaScript read differently is refused", () => {
  for (const Regex of [
    "(?i)a",
    "(?i:a)",
    "a++",
    "a{2}+",
    ".",
    "^a",
    "a$",
    "\\w+",
    "\\s",
    "\\bx",
    "\\p{Lu}",
  ].concat(["[[:alpha:]]", "[a&&b]", "[]a]", "[^]a]", "(?>a)", "(?<name>a)", "(", "a{2,1}", "\\"]))
    assert.throws(
      () => preparePreTokenizers({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false }),
      { name: "ModelError" },
      Regex,
    );
});
