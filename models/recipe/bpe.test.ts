import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Tokenizer } from "@huggingface/tokenizers";
import { Tokenizer as RustTokenizer } from "tokenizers";
import { BYTE_ALPHABET, toSymbols } from "../tokenizer/byte-alphabet.js";
import { SPECIAL_TOKENS, trainBpe } from "./bpe.js";
import { format, inventCorpus, PairSplit } from "./corpus.js";
import { korean } from "./korean/index.js";
import { Random } from "./random.js";
import { tokenizerFile } from "./tokenizer-file.js";

const pairs = new PairSplit(new Random(3), korean);
const corpus = [...inventCorpus(korean, 3, 400, pairs)].map((conversation) => `${format(conversation)}\n`);
const file = tokenizerFile(trainBpe(corpus.join(""), 700));
const tokenizer = new Tokenizer(file, {});

function rustTokenizer(): RustTokenizer {
  const folder = mkdtempSync(join(tmpdir(), "jai-bpe-"));
  try {
    writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(file));
    return RustTokenizer.fromFile(join(folder, "tokenizer.json"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function randomText(random: Random): string {
  const ranges: [number, number][] = [
    [0x00, 0x7f],
    [0x20, 0x7e],
    [0x80, 0x2ff],
    [0x1100, 0x11ff],
    [0x2000, 0x206f],
    [0x3130, 0x318f],
    [0xac00, 0xd7a3],
    [0xac00, 0xd7a3],
    [0x4e00, 0x9fff],
    [0x1f300, 0x1faff],
    [0x0, 0xd7ff],
    [0xe000, 0x10ffff],
  ];
  const pieces = Array.from({ length: random.int(1, 40) }, () => {
    if (random.chance(0.1))
      return random.pick([" ", "  ", "\n", "\r\n", "\t", "에서", " 개발자", ...SPECIAL_TOKENS]);
    const [low, high] = random.pick(ranges);
    return String.fromCodePoint(random.int(low, high));
  });
  return pieces.join("");
}

test("merges the most frequent pair first, ties by the smaller ids", () => {
  const first = SPECIAL_TOKENS.length + BYTE_ALPHABET.length;
  const { tokens, merges } = trainBpe("abcab abcab zz", first + 3, 1);
  assert.deepEqual(merges, [
    ["a", "b"],
    ["c", "ab"],
    ["ab", "cab"],
  ]);
  assert.deepEqual(tokens.slice(first), ["ab", "cab", "abcab"]);
});

test("stops when no pair is frequent enough", () => {
  assert.deepEqual(trainBpe("가", 1000, 2).merges, []);
});

test("a vocabulary too small for the bytes is refused", () => {
  assert.throws(() => trainBpe("a", 100), /expected a vocabulary of at least 260 tokens, got 100/);
});

test("special tokens take the first ids and every byte is a token", () => {
  SPECIAL_TOKENS.forEach((token, id) => {
    assert.equal(tokenizer.token_to_id(token), id);
  });
  assert.deepEqual(
    BYTE_ALPHABET.map((character) => file.model.vocab[character]),
    Array.from({ length: 256 }, (_, byte) => SPECIAL_TOKENS.length + byte),
  );
});

test("a place keeps its tokens whatever particle follows it", () => {
  const { tokens } = trainBpe("판교 판교에서 판교에 판교는 ".repeat(9), 400);
  assert.ok(!tokens.some((token) => token.startsWith(toSymbols("판교에"))));
  assert.ok(tokens.includes(toSymbols("판교")));
});

test("ids equal the Rust tokenizer's, and decode to the same text, on the corpus and on random Unicode", async () => {
  const rust = rustTokenizer();
  const random = new Random(11);
  const texts = [...corpus, ...Array.from({ length: 1500 }, () => randomText(random))];
  for (const text of texts) {
    const { ids } = tokenizer.encode(text);
    assert.deepEqual(ids, (await rust.encode(text)).getIds(), JSON.stringify(text));
    assert.equal(
      tokenizer.decode(ids, { skip_special_tokens: false, clean_up_tokenization_spaces: false }),
      text,
    );
    assert.equal(await rust.decode(ids, false), text);
  }
});
