import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Tokenizer as Rust } from "tokenizers";
import { ModelError } from "./errors.js";
import type { Fields } from "./fields.js";
import {
  addedToken,
  byteLevelTokenizer,
  corpus,
  randomText,
  seededRandom,
  tinyBpe,
  tokenizerJson,
  whitespaceTokenizer,
  wordsOf,
} from "./tokenizer.fixtures.js";
import { createTokenizer } from "./tokenizer.js";

const shared = fileURLToPath(new URL("../../../shared/jai/", import.meta.url));
const controls = { pad_token: "[PAD]", unk_token: "[UNK]", bos_token: "[BOS]", eos_token: "[EOS]" };

function randomTexts(count: number, seed: number): string[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => randomText(random));
}

/** Holds ids of every text, and texts of these ids and of random ones, against the Rust library. */
async function assertAgrees(json: Fields, texts: readonly string[], config: Fields = {}): Promise<void> {
  const rust = Rust.fromString(JSON.stringify(json));
  const tokenizer = createTokenizer(json, config);
  assert.equal(tokenizer.size, rust.getVocabSize(true));

  const encodings = await rust.encodeBatch(texts.map((text) => text.replace(/\p{Surrogate}/gu, "\ufffd")));
  const expected = encodings.map((encoding) => encoding.getIds());
  for (const [i, ids] of expected.entries())
    assert.deepEqual(tokenizer.encode(texts[i]!), ids, `ids of ${JSON.stringify(texts[i])}`);

  const random = seededRandom(1);
  const randomIds = () =>
    Array.from({ length: 1 + Math.floor(random() * 12) }, () => Math.floor(random() * (tokenizer.size + 2)));
  const sequences = expected.map((ids) => (random() < 0.5 ? ids : randomIds()));
  const decoded = await rust.decodeBatch(sequences, Object.keys(config).length > 0);
  for (const [i, ids] of sequences.entries())
    assert.equal(tokenizer.decode(ids), decoded[i], `text of ${ids}`);
}

test("20,000 random texts: words with an unknown token, no decoder, as the Rust library", async () => {
  await assertAgrees(whitespaceTokenizer(), randomTexts(20_000, 1), controls);
});

test("20,000 random texts: bytes with special tokens, as the Rust library", async () => {
  await assertAgrees(byteLevelTokenizer(), randomTexts(20_000, 2));
});

test("the real JAI tokenizer: its whole corpus and 20,000 random texts, as the Rust library", {
  skip: !existsSync(shared),
}, async () => {
  const json = JSON.parse(readFileSync(`${shared}tokenizer.json`, "utf8")) as Fields;
  const lines = readFileSync(`${shared}samples.txt`, "utf8").split("\n");
  assert.equal(lines.length, 6750);
  await assertAgrees(json, [...lines, ...randomTexts(20_000, 3)], controls);
});

test("the real JAI tokenizer: the reference's prompts have the reference's ids", {
  skip: !existsSync(shared),
}, () => {
  const read = (name: string) => JSON.parse(readFileSync(`${shared}${name}`, "utf8"));
  const tokenizer = createTokenizer(read("tokenizer.json"), controls);
  for (const { prompt, ids, greedy_ids, greedy_text } of read("reference.json").cases) {
    assert.deepEqual(tokenizer.encode(prompt), ids);
    assert.equal(tokenizer.decode(greedy_ids), greedy_text);
  }
});

const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
const gpt4 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const split = (behavior: string, invert = false, pattern: Fields = { Regex: gpt4 }): Fields => ({
  type: "Split",
  pattern,
  behavior,
  invert,
});
const chain = (...pretokenizers: Fields[]): Fields => ({ type: "Sequence", pretokenizers });
const steps = (...normalizers: Fields[]): Fields => ({ type: "Sequence", normalizers });
const words = (pre_tokenizer: Fields | null) => whitespaceTokenizer({}, { pre_tokenizer });
const bytes = (pre_tokenizer: Fields) => byteLevelTokenizer({ pre_tokenizer });
const normalized = (normalizer: Fields) => byteLevelTokenizer({ normalizer });
const processed = (post_processor: Fields) => byteLevelTokenizer({ post_processor });
const byteTokens = Array.from(
  { length: 256 },
  (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
);
const marked = (prepend_scheme: string, split: boolean): Fields => {
  const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme, split };
  const model = tinyBpe(
    wordsOf(corpus).map((word) => `▁${word}`),
    { first: ["<unk>"], unk_token: "<unk>" },
  );
  return tokenizerJson({ pre_tokenizer: metaspace, decoder: metaspace, model });
};
const fallingBack = (known: number, fuse_unk: boolean) =>
  tokenizerJson({
    normalizer: steps(
      { type: "Prepend", prepend: "▁" },
      { type: "Replace", pattern: { String: " " }, content: "▁" },
    ),
    model: tinyBpe(wordsOf(corpus), {
      first: ["<unk>", "▁", ...byteTokens.slice(0, known)],
      unk_token: "<unk>",
      byte_fallback: true,
      fuse_unk,
    }),
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "▁" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
  });
const affixed = (options: Fields): Fields =>
  tokenizerJson({
    pre_tokenizer: { type: "Whitespace" },
    decoder: { type: "BPEDecoder", suffix: "</w>" },
    model: { ...tinyBpe([]), ...options },
  });
const withAdded = (options: Fields, normalizer: Fields | null = null): Fields => {
  const json = byteLevelTokenizer({ normalizer });
  const { vocab } = json.model as { vocab: Record<string, number> };
  let next = Object.keys(vocab).length;
  const contents = ["the", "서울", "서울개발", "É a", "é", "일", "ΑΣ", "ing", "\u3000x"];
  const more = contents.map((content) =>
    addedToken(content, vocab[content] ?? next++, { special: content === "일", ...options }),
  );
  return { ...json, added_tokens: [...(json.added_tokens as Fields[]), ...more] };
};
const joinedTwice = (): Fields => {
  const json = whitespaceTokenizer();
  const model = json.model as { merges: unknown[] };
  return { ...json, model: { ...model, merges: [...model.merges, ...model.merges.slice(0, 40).reverse()] } };
};

const components: Record<string, Fields> = {
  "no pre-tokenizer": words(null),
  WhitespaceSplit: words({ type: "WhitespaceSplit" }),
  "Digits, each": words({ type: "Digits", individual_digits: true }),
  "Digits, together": words({ type: "Digits", individual_digits: false }),
  "Punctuation, isolated": words({ type: "Punctuation", behavior: "Isolated" }),
  "Punctuation, contiguous": words({ type: "Punctuation", behavior: "Contiguous" }),
  CharDelimiterSplit: words({ type: "CharDelimiterSplit", delimiter: "a" }),
  "Split, isolated": words(split("Isolated")),
  "Split, removed": words(split("Removed")),
  "Split, inverted": words(split("Removed", true)),
  "Split, merged with previous": words(split("MergedWithPrevious")),
  "Split, merged with next": words(split("MergedWithNext", false, { String: " " })),
  "Split at Oniguruma's \\w": words(split("Isolated", false, { Regex: "\\w+|[^\\w\\s]+" })),
  "Split at negated classes": words(split("Removed", false, { Regex: "[\\P{L}&&[^0-9]]|\\P{N}" })),
  "ByteLevel, space first": bytes({ ...byteLevel, add_prefix_space: true }),
  "ByteLevel after a Split": bytes(chain(split("Isolated"), { ...byteLevel, use_regex: false })),
  "ByteLevel after Digits": bytes(chain({ type: "Digits", individual_digits: true }, byteLevel)),
  "ByteLevel after Punctuation and Whitespace": bytes(
    chain({ type: "Punctuation" }, { type: "Whitespace" }, { ...byteLevel, add_prefix_space: true }),
  ),
  "Metaspace, always": marked("always", true),
  "Metaspace, first": marked("first", false),
  "Metaspace, never": marked("never", true),
  "no unknown token": whitespaceTokenizer({ unk_token: null }),
  "unknown tokens fused": whitespaceTokenizer({ fuse_unk: true }, { pre_tokenizer: null }),
  "whole words before merges": whitespaceTokenizer({ ignore_merges: true }),
  "a pair that merges twice": joinedTwice(),
  "byte fallback": fallingBack(256, true),
  "byte fallback, some bytes missing": fallingBack(0xe5, false),
  "byte fallback, some bytes missing, fused": fallingBack(0xe5, true),
  "a prefix inside of words": affixed({
    unk_token: "[UNK]",
    continuing_subword_prefix: "##",
    vocab: { "[UNK]": 0, a: 1, b: 2, "##a": 3, "##b": 4, ab: 5, "##ab": 6, aba: 7, c: 8 },
    merges: [
      ["a", "##b"],
      ["##a", "##b"],
      ["ab", "##a"],
    ],
  }),
  "a suffix at the end of words": affixed({
    unk_token: "[UNK]",
    end_of_word_suffix: "</w>",
    vocab: { "[UNK]": 0, a: 1, b: 2, "a</w>": 3, "b</w>": 4, ab: 5, "ab</w>": 6, c: 7, i: 8, "n</w>": 9 },
    merges: ["a b</w>", "a b"],
  }),
  NFC: normalized({ type: "NFC" }),
  NFD: normalized({ type: "NFD" }),
  NFKD: normalized({ type: "NFKD" }),
  "NFKC and Lowercase": normalized(steps({ type: "NFKC" }, { type: "Lowercase" })),
  "NFD and StripAccents": normalized(steps({ type: "NFD" }, { type: "StripAccents" })),
  Strip: normalized({ type: "Strip", strip_left: true, strip_right: true }),
  "Strip, left": normalized({ type: "Strip", strip_left: true, strip_right: false }),
  Prepend: normalized({ type: "Prepend", prepend: "x" }),
  Replace: normalized({ type: "Replace", pattern: { Regex: "\\s+" }, content: "$1 " }),
  TemplateProcessing: processed({
    type: "TemplateProcessing",
    single: [
      { SpecialToken: { id: "B", type_id: 0 } },
      { Sequence: { id: "A", type_id: 0 } },
      { SpecialToken: { id: "E", type_id: 0 } },
    ],
    pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
    special_tokens: {
      B: { id: "B", ids: [4, 2], tokens: ["[EOS]", "[ANSWER]"] },
      E: { id: "E", ids: [2], tokens: ["[ANSWER]"] },
    },
  }),
  "a Sequence of post-processors": processed({
    type: "Sequence",
    processors: [
      byteLevel,
      {
        type: "RobertaProcessing",
        sep: ["[EOS]", 4],
        cls: ["[ANSWER]", 2],
        trim_offsets: true,
        add_prefix_space: false,
      },
      { type: "BertProcessing", sep: ["[ANSWER]", 2], cls: ["[QUESTION]", 0] },
    ],
  }),
  "added tokens": withAdded({}),
  "added tokens, normalized": withAdded({ normalized: true }, { type: "Lowercase" }),
  "added tokens, decomposed": withAdded({ normalized: true, lstrip: true, rstrip: true }, { type: "NFD" }),
  "added tokens with the space on their left": withAdded({ lstrip: true }),
  "added tokens with the space on their right": withAdded({ rstrip: true }),
  "added tokens that are whole words": withAdded({ single_word: true }),
};

for (const [index, [name, json]] of Object.entries(components).entries())
  test(`${name}: as the Rust library`, async () => {
    await assertAgrees(json, ["", ...randomTexts(500, 100 + index)]);
  });

test("a lone surrogate counts as U+FFFD", () => {
  const tokenizer = createTokenizer(byteLevelTokenizer(), {});
  assert.deepEqual(tokenizer.encode("a\ud800b\udc00"), tokenizer.encode("a\ufffdb\ufffd"));
  assert.deepEqual(tokenizer.encode("\ud83d\ude42"), tokenizer.encode("🙂"));
});

test("decoding drops control tokens and unknown ids, and keeps other special tokens", () => {
  const tokenizer = createTokenizer(byteLevelTokenizer(), { eos_token: "[EOS]" });
  const ids = tokenizer.encode("[ANSWER]\n네[/ANSWER][EOS]");
  assert.equal(tokenizer.eosId, ids.at(-1));
  assert.equal(tokenizer.decode([...ids, tokenizer.size, -1]), "[ANSWER]\n네[/ANSWER]");
  assert.equal(tokenizer.decode([]), "");
});

test("part of a character decodes to U+FFFD", () => {
  const tokenizer = createTokenizer(byteLevelTokenizer(), {});
  assert.equal(tokenizer.decode(tokenizer.encode("🚀").slice(0, -1)), "\ufffd");
});

test("a token name in tokenizer_config.json may be an object", () => {
  const json = byteLevelTokenizer();
  assert.equal(createTokenizer(json, { eos_token: { content: "[EOS]" } }).eosId, 4);
  assert.equal(createTokenizer(json, { eos_token: null }).eosId, null);
});

test("the longest prompt is tokenized at once, whatever it is made of", () => {
  for (const json of [byteLevelTokenizer(), whitespaceTokenizer()]) {
    const tokenizer = createTokenizer(json, {});
    for (const part of ["a", "가", "🙂", "ab", "[", " ", "[EOS]", "e\u0301"]) {
      const text = `${part.repeat(32_768 / part.length)}x`;
      const start = performance.now();
      tokenizer.decode(tokenizer.encode(text));
      // Takes under 100 ms; merging in quadratic time takes minutes.
      assert.ok(performance.now() - start < 5000, JSON.stringify(part));
    }
  }
});

const good = whitespaceTokenizer();
const model = good.model as Fields & { vocab: Record<string, number> };
for (const [what, json, expected] of [
  ["is no object", [], /expected a JSON object, got \[\]/],
  ["has no model", { ...good, model: undefined }, /expected a model of type "BPE", got nothing/],
  ["is of another type", { ...good, model: { type: "Unigram", vocab: [] } }, /type "BPE", got "Unigram"/],
  ["has no vocabulary", { ...good, model: { ...model, vocab: [] } }, /expected a vocabulary, got \[\]/],
  [
    "has an empty vocabulary",
    tokenizerJson({ model: { ...model, unk_token: null, vocab: {}, merges: [] } }),
    /an empty one/,
  ],
  [
    "has a negative id",
    { ...good, model: { ...model, vocab: { a: -1 } } },
    /an id from 0 .* for "a", got -1/,
  ],
  [
    "has a huge id",
    { ...good, model: { ...model, vocab: { a: 1e9 } } },
    /an id from 0 .* for "a", got 1000000000/,
  ],
  [
    "gives an id twice",
    { ...good, model: { ...model, vocab: { a: 0, b: 0 } } },
    /its own for "b", got that of "a"/,
  ],
  [
    "merges what it lacks",
    { ...good, model: { ...model, merges: ["서 zz"] } },
    /vocabulary for merge 0, got "zz"/,
  ],
  ["merges three at once", { ...good, model: { ...model, merges: ["a b c"] } }, /two tokens in merge 0/],
  ["has no merges", { ...good, model: { ...model, merges: null } }, /expected a list of merges, got null/],
  ["lacks its unknown token", { ...good, model: { ...model, unk_token: "?!" } }, /for unk_token, got "\?!"/],
  ["drops merges at random", { ...good, model: { ...model, dropout: 0.1 } }, /expected no dropout.*got 0.1/],
  ["cuts texts off", { ...good, truncation: { max_length: 8 } }, /expected null for truncation/],
  ["pads texts", { ...good, padding: { strategy: "BatchLongest" } }, /expected null for padding/],
  [
    "has an unknown pre-tokenizer",
    { ...good, pre_tokenizer: { type: "UnicodeScripts" } },
    /got "UnicodeScripts"/,
  ],
  ["has an unknown normalizer", { ...good, normalizer: { type: "Precompiled" } }, /got "Precompiled"/],
  ["has an unknown decoder", { ...good, decoder: { type: "CTC" } }, /supported decoder, got "CTC"/],
  [
    "has an unknown post-processor",
    { ...good, post_processor: { type: "X" } },
    /supported post_processor, got "X"/,
  ],
  [
    "has a broken pattern",
    { ...good, pre_tokenizer: split("Isolated", false, { Regex: "(" }) },
    /supported regular expression, got "\("/,
  ],
  [
    "has no pattern",
    { ...good, pre_tokenizer: split("Isolated", false, {}) },
    /a pattern of String or Regex, got \{\}/,
  ],
  ["has an unknown behaviour", { ...good, pre_tokenizer: split("Kept") }, /for behavior, got "Kept"/],
  [
    "numbers an added token wrongly",
    { ...good, added_tokens: [addedToken("[NEW]", 7)] },
    /expected id \d+ for .*"\[NEW\]", got 7/,
  ],
  ["has a nameless added token", { ...good, added_tokens: [{ id: 1 }] }, /added token with id and content/],
] as const)
  test(`a tokenizer.json that ${what} is refused with one clear line`, () => {
    assert.throws(
      () => createTokenizer(json, {}),
      (error) => {
        assert.ok(error instanceof ModelError, String(error));
        assert.match(error.message, /^tokenizer\.json: [^\n]+$/);
        assert.match(error.message, expected);
        return true;
      },
    );
  });

test("a tokenizer_config.json that names a token that is not there is refused", () => {
  assert.throws(
    () => createTokenizer(good, { eos_token: "</s>" }),
    /^ModelError: tokenizer_config\.json: .*eos_token, got "<\/s>"$/,
  );
});
