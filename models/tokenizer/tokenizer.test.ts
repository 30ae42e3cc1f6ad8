import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Tokenizer as Rust } from "tokenizers";
import { randomCases, testSeed } from "../../ops/random-cases.js";
import { ModelError } from "../files/error.js";
import type { Fields } from "../files/fields.js";
import { charsmapOf } from "../fixtures/charsmap.js";
import { byteLevelTokenizer, randomText, tinyBpe, whitespaceTokenizer } from "../fixtures/tokenizers.js";
import { mulberry32 } from "../recipe/random.js";
import { byteToken } from "./byte-fallback.js";
import { knownPatterns } from "./components.js";
import { createTokenizer } from "./tokenizer.js";
import { addedToken } from "./tokenizer-json.js";
import { forms } from "./unicode.js";

const shared = fileURLToPath(new URL("../../../../shared/jai/", import.meta.url));
const controls = { pad_token: "[PAD]", unk_token: "[UNK]", bos_token: "[BOS]", eos_token: "[EOS]" };

function randomTexts(count: number, seed: number): string[] {
  const random = mulberry32(testSeed(seed));
  return Array.from({ length: count }, () => randomText(random));
}

/** Compares the ids of every text, and the texts of these ids and of random ones, with the Rust library's. */
async function assertAgrees(
  json: Fields,
  texts: readonly string[],
  config: Fields = {},
  { drawsIds = true } = {},
): Promise<void> {
  const rust = Rust.fromString(JSON.stringify(json));
  const tokenizer = createTokenizer(json, config);
  assert.equal(tokenizer.size, rust.getVocabSize(true));

  const encodings = await rust.encodeBatch(texts.map((text) => text.replace(/\p{Surrogate}/gu, "\ufffd")));
  const expected = encodings.map((encoding) => encoding.getIds());
  for (const [i, ids] of expected.entries())
    assert.deepEqual(tokenizer.encode(texts[i]!), ids, `ids of ${JSON.stringify(texts[i])}`);

  const random = mulberry32(testSeed(1));
  const randomIds = () =>
    Array.from({ length: 1 + Math.floor(random() * 12) }, () => Math.floor(random() * (tokenizer.size + 2)));
  const sequences = expected.map((ids) => (!drawsIds || random() < 0.5 ? ids : randomIds()));
  const decoded = await rust.decodeBatch(sequences, Object.keys(config).length > 0);
  for (const [i, ids] of sequences.entries())
    assert.equal(tokenizer.decode(ids), decoded[i], `text of ${ids}`);
}

test("random texts: words with an unknown token, no decoder, as the Rust library", async () => {
  await assertAgrees(whitespaceTokenizer(), randomTexts(randomCases(1500, 20_000), 1), controls);
});

test("random texts: bytes with special tokens, as the Rust library", async () => {
  await assertAgrees(byteLevelTokenizer(), randomTexts(randomCases(1500, 20_000), 2));
});

for (const [index, type] of forms.entries())
  test(`random texts in form ${type}, added tokens too, as the Rust library`, async () => {
    const contents = [
      "é",
      "e\u0301",
      "각\u0301",
      "서울",
      "서울개발",
      "日ﬁ",
      "Ⅷ",
      "A\u0303",
      "ê",
      "ing",
      "\u00c3\u00a9",
    ];
    const json = withAdded(contents, whitespaceTokenizer({}, { normalizer: { type } }));
    await assertAgrees(json, randomTexts(randomCases(500, 5000), 10 + index));
  });

test("the real JAI tokenizer: its whole corpus and random texts, as the Rust library", {
  skip: !existsSync(shared) && "needs ../shared/jai",
}, async () => {
  const json = JSON.parse(readFileSync(`${shared}tokenizer.json`, "utf8")) as Fields;
  const lines = readFileSync(`${shared}samples.txt`, "utf8").split("\n");
  assert.equal(lines.length, 6750);
  await assertAgrees(json, [...lines, ...randomTexts(randomCases(1500, 20_000), 3)], controls);
});

test("the real JAI tokenizer: the reference's prompts have the reference's ids", {
  skip: !existsSync(shared) && "needs ../shared/jai",
}, () => {
  const read = (name: string) => JSON.parse(readFileSync(`${shared}${name}`, "utf8"));
  const tokenizer = createTokenizer(read("tokenizer.json"), controls);
  for (const { prompt, ids, greedy_ids, greedy_text } of read("reference.json").cases) {
    assert.deepEqual(tokenizer.encode(prompt), ids);
    assert.equal(tokenizer.decode(greedy_ids), greedy_text);
  }
});

const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
const split = (behavior: string, pattern: Fields, invert = false): Fields => ({
  type: "Split",
  pattern,
  behavior,
  invert,
});
const chain = (...pretokenizers: Fields[]): Fields => ({ type: "Sequence", pretokenizers });
const words = (pre_tokenizer: Fields | null) => whitespaceTokenizer({}, { pre_tokenizer });
const bytes = (pre_tokenizer: Fields) => byteLevelTokenizer({ pre_tokenizer });
const template = {
  type: "TemplateProcessing",
  single: [
    { SpecialToken: { id: "[EOS]", type_id: 0 } },
    { Sequence: { id: "A", type_id: 0 } },
    { SpecialToken: { id: "[ANSWER]", type_id: 0 } },
  ],
  pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
  special_tokens: {
    "[EOS]": { id: "[EOS]", ids: [4], tokens: ["[EOS]"] },
    "[ANSWER]": { id: "[ANSWER]", ids: [2], tokens: ["[ANSWER]"] },
  },
};
const withAdded = (contents: string[], json: Fields = byteLevelTokenizer()): Fields => {
  const { vocab } = json.model as { vocab: Record<string, number> };
  let next = Object.keys(vocab).length;
  const more = contents.map((content, i) => ({
    ...addedToken(content, vocab[content] ?? next++),
    special: i % 2 === 0,
    normalized: i % 3 === 0,
  }));
  return { ...json, added_tokens: [...(json.added_tokens as Fields[]), ...more] };
};
const metaspace = (options: Fields): Fields => {
  const step = { type: "Metaspace", replacement: "▁", ...options };
  const words = ["▁서울", "▁서울", "▁a▁b", "▁a▁b", "▁▁", "▁▁", "the", "▁the", "▁ing", "ing", " e"];
  return whitespaceTokenizer(
    {},
    {
      pre_tokenizer: step,
      decoder: step,
      model: tinyBpe(words, { first: ["[PAD]", "[UNK]", "[BOS]", "[EOS]"], unk_token: "[UNK]" }),
    },
  );
};
const bytesOf = (normalizers: Fields[]) =>
  byteLevelTokenizer({ normalizer: { type: "Sequence", normalizers } });
const alike = withAdded(["é", "x", "y", "e\u0301"], byteLevelTokenizer({ normalizer: { type: "NFC" } }));
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
  "Split at a text, isolated": words(split("Isolated", { String: " " })),
  "Split at a text, removed": words(split("Removed", { String: "." })),
  "Split at a text, all else removed": words(split("Removed", { String: "a" }, true)),
  "Split, all else removed": words(split("Removed", { Regex: knownPatterns[1] }, true)),
  "ByteLevel, space first": bytes({ ...byteLevel, add_prefix_space: true }),
  "ByteLevel after Digits": bytes(chain({ type: "Digits", individual_digits: true }, byteLevel)),
  "ByteLevel after Whitespace": bytes(
    chain({ type: "Whitespace" }, { ...byteLevel, add_prefix_space: true }),
  ),
  "ByteLevel alone": bytes({ ...byteLevel, use_regex: false }),
  Metaspace: metaspace({}),
  "Metaspace without a split": metaspace({ split: false }),
  "Metaspace, no space first": metaspace({ prepend_scheme: "never", add_prefix_space: false }),
  "Metaspace after NFKC, whose spaces it marks": { ...metaspace({}), normalizer: { type: "NFKC" } },
  "a Sequence of normalizers": bytesOf([{ type: "NFD" }, { type: "NFKC" }]),
  "an empty Sequence of normalizers": bytesOf([]),
  "a token whose normalized text is another token's bytes": withAdded(
    ["x", "y", "z", "A\u0303\u00a9"],
    byteLevelTokenizer({ normalizer: { type: "NFC" } }),
  ),
  "no unknown token": whitespaceTokenizer({ unk_token: null }),
  "no unknown token, whole words before merges": whitespaceTokenizer({
    unk_token: null,
    ignore_merges: true,
  }),
  "unknown tokens fused": whitespaceTokenizer({ fuse_unk: true }),
  "unknown tokens fused in a text of one word": whitespaceTokenizer(
    { fuse_unk: true },
    { pre_tokenizer: null },
  ),
  "whole words before merges": whitespaceTokenizer({ ignore_merges: true }),
  "a pair that merges twice": joinedTwice(),
  "merges written as text": whitespaceTokenizer({}, { model: asText(whitespaceTokenizer().model as Fields) }),
  TemplateProcessing: byteLevelTokenizer({ post_processor: template }),
  "a Sequence of post-processors": byteLevelTokenizer({
    post_processor: { type: "Sequence", processors: [byteLevel, template] },
  }),
  "added tokens": withAdded(["the", "서울", "서울개발", "É a", "é", "일", "ΑΣ", "ing", "\u3000x", "Ġx"]),
  "an added token that reads like a word's bytes": withAdded(
    ["Ġa", "Ġ1", "Ġ서"],
    byteLevelTokenizer({ model: { ...(byteLevelTokenizer().model as Fields), ignore_merges: true } }),
  ),
};
for (const pattern of knownPatterns)
  components[`ByteLevel after a Split at ${pattern}`] = bytes(
    chain(split("Isolated", { Regex: pattern }), { ...byteLevel, use_regex: false }),
  );

function asText(model: Fields): Fields {
  return { ...model, merges: (model.merges as [string, string][]).map((pair) => pair.join(" ")) };
}

for (const [index, [name, json]] of Object.entries(components).entries())
  test(`${name}: as the Rust library`, async () => {
    await assertAgrees(json, ["", ...randomTexts(randomCases(100, 500), 100 + index)]);
  });

const byteTokens = Array.from({ length: 256 }, (_, byte) => byteToken(byte));
const marked = ["▁서울", "▁서울", "▁a▁b", "▁a▁b", "▁▁", "▁▁", "the", "▁the", "▁ing", "ing"];
const replaceSpaces = { type: "Replace", pattern: { String: " " }, content: "▁" };
const unmark = { type: "Replace", pattern: { String: "▁" }, content: " " };
const normalizing = (...normalizers: Fields[]): Fields => ({ type: "Sequence", normalizers });
const decoding = (...decoders: Fields[]): Fields => ({ type: "Sequence", decoders });
const stripFirst = { type: "Strip", content: " ", start: 1, stop: 0 };

/** As Hugging Face writes Llama's. */
const llama = (options: Fields = {}, parts: Fields = {}): Fields =>
  whitespaceTokenizer(
    {},
    {
      added_tokens: ["<unk>", "<s>", "</s>"].map(addedToken),
      normalizer: normalizing({ type: "Prepend", prepend: "▁" }, replaceSpaces),
      pre_tokenizer: null,
      decoder: decoding(unmark, { type: "ByteFallback" }, { type: "Fuse" }, stripFirst),
      model: tinyBpe(marked, {
        first: ["<unk>", "<s>", "</s>", ...byteTokens],
        unk_token: "<unk>",
        fuse_unk: true,
        byte_fallback: true,
        ...options,
      }),
      ...parts,
    },
  );

/** Scores that make many paths equally good, and some nearly so. */
const unigram = (options: Fields = {}, parts: Fields = {}): Fields => {
  const { vocab } = tinyBpe(marked, { first: ["<unk>", ...byteTokens] }) as { vocab: Record<string, number> };
  const random = mulberry32(1);
  const vocabulary = Object.keys(vocab).map((token, id) => [
    token,
    id < 257 ? 0 : -Math.floor(random() * 8) / 10 - [...token].length,
  ]);
  const model = { type: "Unigram", unk_id: 0, vocab: vocabulary, byte_fallback: false, ...options };
  return llama({}, { added_tokens: [addedToken("<unk>", 0)], model, ...parts });
};

const charsmap = {
  type: "Precompiled",
  precompiled_charsmap: charsmapOf({
    Ａ: "A",
    ﬁ: "fi",
    "e\u0301": "é",
    "\u3000": " ",
    "\t": " ",
    "\u200b": "",
    "①": "1",
  }),
};

for (const [index, [name, json]] of Object.entries({
  "bytes for unknown characters": llama(),
  "byte_fallback without tokens of bytes": whitespaceTokenizer({ byte_fallback: true }),
  "an unknown token, fused over a whole text": llama({ byte_fallback: false }),
  "Fuse as the decoder": whitespaceTokenizer({}, { decoder: { type: "Fuse" } }),
  Unigram: unigram(),
  "Unigram with bytes for unknown characters": unigram({ byte_fallback: true }),
  "Unigram after Metaspace": unigram(
    {},
    {
      normalizer: null,
      pre_tokenizer: { type: "Metaspace", replacement: "▁" },
      decoder: { type: "Metaspace", replacement: "▁" },
    },
  ),
  "Strip and Replace": llama(
    {},
    {
      normalizer: normalizing(
        { type: "Strip", strip_left: true, strip_right: true },
        { type: "Replace", pattern: { Regex: " {2,}" }, content: " " },
        { type: "Replace", pattern: { Regex: "[aeiou]+\\z" }, content: "" },
        { type: "Replace", pattern: { Regex: "\\A[0-9]+" }, content: "#" },
        replaceSpaces,
      ),
    },
  ),
  "a precompiled table of replacements": unigram(
    {},
    { normalizer: normalizing(charsmap, { type: "Prepend", prepend: "▁" }, replaceSpaces) },
  ),
}).entries())
  test(`${name}: as the Rust library`, async () => {
    const texts = randomTexts(randomCases(200, 20_000), 300 + index);
    const random = mulberry32(testSeed(400 + index));
    const parts = [
      "▁",
      " ",
      "  ",
      "\n",
      "a",
      "b",
      "the",
      "ing",
      "서울",
      "é",
      "e\u0301",
      "ﬁ",
      "Ａ",
      "<0x41>",
      "<unk>",
      "\u3000",
      "①x",
    ];
    const close = Array.from({ length: randomCases(200, 20_000) }, () =>
      Array.from({ length: random() * 12 }, () => parts[Math.floor(random() * parts.length)]).join(""),
    );
    // Of bytes that are no UTF-8, the Rust library makes U+FFFD of valid ones beside them too.
    await assertAgrees(json, ["", ...texts, ...close], {}, { drawsIds: false });
  });

test("a character that the model was not trained on is an error that names it", () => {
  const json = { model: { type: "BPE", vocab: { a: 1, 가: 0 }, merges: [], jai: { refuses_unknown: true } } };
  const tokenizer = createTokenizer({ ...json, decoder: { type: "Fuse" } }, {});
  assert.deepEqual(tokenizer.encode("가a가"), [0, 1, 0]);
  assert.equal(tokenizer.decode([0, 1, 0]), "가a가");
  for (const [text, message] of [
    ["aba", 'expected characters that the model was trained on, got "b" (U+0062)'],
    ["a\n", "expected characters that the model was trained on, got U+000A"],
    ["🙂", 'expected characters that the model was trained on, got "🙂" (U+1F642)'],
  ] as const)
    assert.throws(() => tokenizer.encode(text), { name: "UnknownCharacterError", message });
});

test("a lone surrogate counts as U+FFFD", () => {
  const tokenizer = createTokenizer(withAdded(["\ufffd"]), {});
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
    for (const part of ["a", "가", "🙂", "ab", "ing", "[", " ", "\n", "[EOS]", "e\u0301"]) {
      const text = `${part.repeat(32_768 / part.length)}x`;
      const start = process.cpuUsage();
      tokenizer.decode(tokenizer.encode(text));
      // Takes up to 200 ms; anything quadratic takes many seconds.
      assert.ok(process.cpuUsage(start).user < 2_000_000, JSON.stringify(part));
    }
  }
});

const good = whitespaceTokenizer();
const model = good.model as Fields & { vocab: Record<string, number> };
const ofModel = (parts: Fields): Fields => ({ ...good, model: { ...model, ...parts } });
const endless = JSON.parse(`${"[".repeat(5000)}${"]".repeat(5000)}`);
for (const [what, json, expected] of [
  ["is no object", [], /a JSON object, got \[\]/],
  ["has no model", { ...good, model: undefined }, /type "BPE" or "Unigram", got nothing/],
  ["is of another type", ofModel({ type: "WordPiece" }), /type "BPE" or "Unigram", got "WordPiece"/],
  ["has no vocabulary", ofModel({ vocab: [] }), /a vocabulary, got \[\]/],
  ["has an empty vocabulary", ofModel({ vocab: {} }), /a vocabulary, got \{\}/],
  ["has a negative id", ofModel({ vocab: { a: -1 } }), /an id from 0 .* for "a", got -1/],
  ["has a huge id", ofModel({ vocab: { a: 1e9 } }), /an id from 0 .* for "a", got 1000000000/],
  ["has an id of another type", ofModel({ vocab: { a: "0" } }), /an id from 0 .* for "a", got "0"/],
  ["gives an id twice", ofModel({ vocab: { a: 0, b: 0 } }), /another id for "b" than for "a", got 0/],
  ["merges what it lacks", ofModel({ merges: ["서 zz"] }), /vocabulary in merge 0, got "서 zz"/],
  ["merges to what it lacks", ofModel({ merges: [["a", "서"]] }), /vocabulary in merge 0, got \["a","서"\]/],
  ["merges three at once", ofModel({ merges: ["a b c"] }), /two tokens in merge 0/],
  ["merges numbers", ofModel({ merges: [[0, 1]] }), /vocabulary in merge 0, got \[0,1\]/],
  ["merges nested lists", ofModel({ merges: [[endless, "a"]] }), /vocabulary in merge 0/],
  ["has no merges", ofModel({ merges: null }), /a list of merges, got null/],
  ["lacks its unknown token", ofModel({ unk_token: "?!" }), /for unk_token, got "\?!"/],
  ["drops merges at random", ofModel({ dropout: 0.1 }), /no dropout.*got 0.1/],
  [
    "falls back to only some bytes",
    ofModel({ byte_fallback: true, vocab: { ...model.vocab, "<0x41>": 9999 } }),
    /tokens for all 256 bytes with byte_fallback, got 1$/,
  ],
  ["marks parts of words", ofModel({ continuing_subword_prefix: "##" }), /no continuing_.*got "##"/],
  ["marks ends of words", ofModel({ end_of_word_suffix: "</w>" }), /no end_of_word_suffix.*got "<\/w>"/],
  ["fuses perhaps", ofModel({ fuse_unk: "maybe" }), /true or false for fuse_unk, got "maybe"/],
  ["cuts texts off", { ...good, truncation: { max_length: 8 } }, /null for truncation/],
  ["pads texts", { ...good, padding: { strategy: "BatchLongest" } }, /null for padding/],
  ["has an unknown pre-tokenizer", words({ type: "Punctuation" }), /pre_tokenizer, got "Punctuation"/],
  ["has a pre-tokenizer of another type", { ...good, pre_tokenizer: "x" }, /pre_tokenizer, got "x"/],
  ["nests without end", words({ type: "Sequence", pretokenizers: endless }), /pre_tokenizer, got/],
  [
    "has an unknown normalizer",
    { ...good, normalizer: { type: "Lowercase" } },
    /normalizer, got "Lowercase"/,
  ],
  ["has another mark for spaces", metaspace({ replacement: "_" }), /U\+2581 of Metaspace, got "_"/],
  ["marks but the first space", metaspace({ prepend_scheme: "first" }), /prepend_scheme, got "first"/],
  ["contradicts itself", metaspace({ add_prefix_space: false }), /without add_prefix_space, got "always"/],
  ["has an added token twice", withAdded(["x", "x"]), /reads like no other, got "x"/],
  ["has added tokens that are one when normalized", alike, /reads like no other, got "e\u0301"/],
  ["has an unknown decoder", { ...good, decoder: { type: "CTC" } }, /decoder, got "CTC"/],
  ["has an unknown post-processor", { ...good, post_processor: { type: "X" } }, /post_processor, got "X"/],
  [
    "has a template of other ids",
    { ...good, post_processor: template },
    /a template of the sequence A and special tokens, got/,
  ],
  ["has a template of nothing", { ...good, post_processor: { ...template, single: [null] } }, /a template/],
  [
    "has a pattern that never ends",
    words(split("Isolated", { Regex: "(a+)+b" })),
    /a Regex of literals.*got "\(a\+\)\+b"/,
  ],
  [
    "has an empty pattern",
    words(split("Isolated", { String: "" })),
    /a pattern of String or Regex, got nothing/,
  ],
  ["has no pattern", words({ type: "Split", behavior: "Isolated" }), /a pattern of Split, got nothing/],
  ["has an unknown behaviour", words(split("Kept", { String: "a" })), /Removed of Split, got "Kept"/],
  [
    "numbers an added token wrongly",
    { ...good, added_tokens: [addedToken("[NEW]", 7)] },
    /id \d+ for .*"\[NEW\]", got 7/,
  ],
  ["has a nameless added token", { ...good, added_tokens: [{ id: 1 }] }, /added token with content/],
  ["has added tokens of another type", { ...good, added_tokens: { a: 1 } }, /a list of added_tokens/],
  [
    "has an added token that takes spaces with it",
    { ...good, added_tokens: [{ ...addedToken("[EOS]", 3), lstrip: true }] },
    /no lstrip, .* for "\[EOS\]", got true/,
  ],
] as const)
  test(`a tokenizer.json that ${what} is refused with one clear line`, () => {
    assert.throws(
      () => createTokenizer(json, {}),
      (error) => {
        assert.ok(error instanceof ModelError, String(error));
        assert.match(error.message, /^tokenizer\.json: expected [^\n]+$/);
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
