import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { randomCases, testSeed } from "../../../ops/random-cases.js";
import type { ModelConfig } from "../../config.js";
import type { Fields } from "../../files/fields.js";
import { charsmapOf } from "../../fixtures/charsmap.js";
import { byteTokenizer } from "../../fixtures/model.js";
import { BYTES, CONTROLS, sentencePieceFile, type TestPiece } from "../../fixtures/sentencepiece.js";
import { byteLevelTokenizer, whitespaceTokenizer } from "../../fixtures/tokenizers.js";
import { readTokenizer } from "../../import/tokenizer/index.js";
import { mulberry32 } from "../../recipe/random.js";
import { toSymbols } from "../../tokenizer/byte-alphabet.js";
import { createTokenizer } from "../../tokenizer/tokenizer.js";
import { exportTokenizer } from "./index.js";

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "jai-export-tokenizer-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

interface Settings {
  tokenizer?: Fields;
  generation?: Fields;
  approximate?: boolean;
}

/** What is exported of a model folder that has this tokenizer. */
function exported(
  t: TestContext,
  json: object,
  { tokenizer = {}, generation = {}, approximate = false }: Settings = {},
) {
  const dir = scratch(t);
  writeFileSync(join(dir, "tokenizer.json"), JSON.stringify(json));
  writeFileSync(join(dir, "tokenizer_config.json"), JSON.stringify(tokenizer));
  writeFileSync(join(dir, "generation_config.json"), JSON.stringify(generation));
  const opened = createTokenizer(json, tokenizer);
  const config = { vocab_size: opened.size } as ModelConfig;
  const { metadata, notes } = exportTokenizer({ dir, tokenizer: opened, config }, approximate);
  const value = <T>(name: string) => metadata[`tokenizer.ggml.${name}`] as T;
  return { metadata, notes, value, tokens: value<string[]>("tokens"), opened };
}

/** Byte-level BPE as llama.cpp has it: merges by rank, then each piece as a token, or byte by byte, or not at all. */
function bpe(tokens: readonly string[], merges: readonly string[], word: string): number[] {
  const parts = [...toSymbols(word)];
  for (;;) {
    const ranks = parts.slice(1).map((right, i) => merges.indexOf(`${parts[i]} ${right}`));
    const best = Math.min(...ranks.filter((rank) => rank >= 0));
    if (!Number.isFinite(best)) break;
    const at = ranks.indexOf(best);
    parts.splice(at, 2, parts[at]! + parts[at + 1]!);
  }
  return parts
    .flatMap((part) => (tokens.includes(part) ? [part] : [...part]))
    .map((part) => tokens.indexOf(part))
    .filter((id) => id >= 0);
}

/** SentencePiece's BPE as llama.cpp has it: the neighbours whose join has the highest score, the leftmost of equals. */
function spm(tokens: readonly string[], scores: Float32Array, types: Int32Array, text: string): number[] {
  const known = new Map(tokens.map((token, id) => [token, id]));
  const parts = [...text.replaceAll(" ", "\u2581")];
  for (;;) {
    const joins = parts.slice(1).map((right, i) => known.get(parts[i]! + right));
    const best = Math.max(
      ...joins.map((id) => (id === undefined || types[id] !== 1 ? Number.NEGATIVE_INFINITY : scores[id]!)),
    );
    if (!Number.isFinite(best)) break;
    const at = joins.findIndex((id) => id !== undefined && types[id] === 1 && scores[id] === best);
    parts.splice(at, 2, parts[at]! + parts[at + 1]!);
  }
  const byte = (value: number) => `<0x${value.toString(16).toUpperCase().padStart(2, "0")}>`;
  return parts.flatMap(
    (part) => known.get(part) ?? [...Buffer.from(part)].map((value) => known.get(byte(value))!),
  );
}

const END = { generation: { eos_token_id: 256 } };

test("a byte-level BPE keeps its ids, and its special tokens are control tokens", (t) => {
  const json = byteTokenizer();
  const { value, tokens, notes } = exported(t, json, {
    ...END,
    tokenizer: { chat_template: "{{ bos_token }}" },
  });
  assert.deepEqual([value("model"), value("pre"), notes], ["gpt2", "gpt-2", []]);
  assert.deepEqual([tokens[0x41], tokens[0x20], tokens[256]], ["A", "Ġ", "[EOS]"]);
  assert.deepEqual([...value<Int32Array>("token_type")].slice(254, 258), [1, 1, 3, 3]);
  assert.deepEqual(
    [value("eos_token_id"), value("add_bos_token"), value("add_eos_token")],
    [256, false, false],
  );
  const { metadata } = exported(t, json, { ...END, tokenizer: { chat_template: "{{ bos_token }}" } });
  assert.equal(metadata["tokenizer.chat_template"], "{{ bos_token }}");
});

test("merges and words are llama.cpp's", (t) => {
  const { tokens, value, opened } = exported(t, byteLevelTokenizer(), { generation: { eos_token_id: 0 } });
  const merges = value<string[]>("merges");
  for (const word of ["hello", "the", " the", "서울", "에서", "ing", "🙂"])
    assert.deepEqual(bpe(tokens, merges, word), opened.encode(word), word);
});

test("a pattern that llama.cpp knows is named, another is refused or approximate, and NFC is told of", (t) => {
  const split = (Regex: string, normalizer: object | null = null) => ({
    ...byteTokenizer(),
    normalizer,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
  });
  const llama = (digits: string) =>
    `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
  assert.equal(exported(t, split(llama("{1,3}")), END).value("pre"), "llama-bpe");
  const qwen = exported(t, split(llama(""), { type: "NFC" }), END);
  assert.deepEqual(
    [qwen.value("pre"), qwen.notes],
    ["qwen2", ["the normalization NFC, which llama.cpp skips"]],
  );
  const strange = split(llama("{1,2}"));
  const line =
    /^tokenizer\.json: expected a tokenizer that llama\.cpp has as well, got a pattern of words that llama\.cpp has no name for; --approximate exports it all the same$/;
  assert.throws(() => exported(t, strange, END), { name: "ModelError", message: line });
  const near = exported(t, strange, { ...END, approximate: true });
  assert.deepEqual([near.value("pre"), near.notes.length], ["default", 1]);
  const digits = {
    ...byteTokenizer(),
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Digits", individual_digits: true },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
      ],
    },
  };
  assert.equal(exported(t, digits, END).value("pre"), "smollm");
});

test("a model of characters is the same with bytes that are joined to characters, and nothing else", async (t) => {
  const file = join(scratch(t), "input.txt");
  writeFileSync(file, "안녕 éèh\n🙂😀ab 앤");
  const { tokenizerJson } = await readTokenizer(file);
  const { tokens, value, opened, notes } = exported(t, tokenizerJson);
  const characters = [..."안녕 éèh\n🙂😀ab앤"];
  const random = mulberry32(testSeed(1));
  for (let i = 0; i < randomCases(200, 2000); i++) {
    const text = Array.from({ length: 8 }, () => characters[Math.floor(random() * characters.length)]).join(
      "",
    );
    // Words don't matter: no pair of them is joined.
    assert.deepEqual(bpe(tokens, value("merges"), text), opened.encode(text), text);
  }
  assert.match(notes.join(), /the model has no end token, and llama\.cpp needs one: token \d+ is it now/);
});

const letters: TestPiece[] = [..."▁abcdef"].map((text, i) => [text, -100 - i]);
const pieces: TestPiece[] = [
  ...CONTROLS,
  ...BYTES,
  ["<|sys|>", 0, "user"],
  ...["ab", "▁ab", "cd", "abcd", "▁abcd", "bc", "ef", "▁a", "def", "bcd"].map(
    (text, i): TestPiece => [text, -1 - i],
  ),
  ...letters,
];

test("SentencePiece's merges become scores that join in the same order", async (t) => {
  for (const dummyPrefix of [true, false]) {
    const file = join(scratch(t), "a.model");
    writeFileSync(
      file,
      sentencePieceFile({ pieces, byteFallback: true, dummyPrefix, removeExtraSpaces: false }),
    );
    const { tokenizerJson } = await readTokenizer(file);
    const { tokens, value, opened } = exported(t, tokenizerJson, { generation: { eos_token_id: 2 } });
    assert.deepEqual([value("model"), value("add_space_prefix")], ["llama", dummyPrefix]);
    assert.equal(value("unknown_token_id"), 0);
    const types = value<Int32Array>("token_type");
    assert.deepEqual([...types.slice(0, 4), types[259]], [2, 3, 3, 6, 4]);
    const random = mulberry32(testSeed(2));
    for (let i = 0; i < randomCases(300, 3000); i++) {
      const text = Array.from({ length: 9 }, () => "abcdef 가"[Math.floor(random() * 8)]).join("");
      const prefixed = dummyPrefix ? ` ${text}` : text;
      assert.deepEqual(
        spm(tokens, value("scores"), types, prefixed),
        opened.encode(text),
        JSON.stringify(text),
      );
    }
  }
});

test("merges that no scores can say are refused", async (t) => {
  const file = join(scratch(t), "a.model");
  writeFileSync(file, sentencePieceFile({ pieces, byteFallback: true, removeExtraSpaces: false }));
  const { tokenizerJson } = await readTokenizer(file);
  const model = tokenizerJson.model as { merges: [string, string][] };
  const changed = (merges: [string, string][]) => ({ ...tokenizerJson, model: { ...model, merges } });
  const has = (left: string, right: string) => (pair: [string, string]) =>
    pair[0] === left && pair[1] === right;
  assert.throws(
    () => exported(t, changed(model.merges.filter((pair) => !has("ab", "cd")(pair)).concat([["a", "bcd"]]))),
    { message: /got no merge of "ab" and "cd", whose join is a token$/ },
  );
  assert.throws(() => exported(t, changed([...model.merges, ["a", "b"]])), {
    message: /got merges that make "ab" at two places of the list$/,
  });
});

test("a Unigram keeps its scores, its replacements and what it does to spaces", async (t) => {
  const file = join(scratch(t), "a.model");
  const some: TestPiece[] = [...CONTROLS, ["<|sys|>", 0, "user"], ["ab", -1.5], ...letters];
  const charsmap = charsmapOf({ é: "e" });
  writeFileSync(file, sentencePieceFile({ pieces: some, type: "unigram", charsmap }));
  const { tokenizerJson } = await readTokenizer(file);
  const { tokens, value, notes } = exported(t, tokenizerJson, { generation: { eos_token_id: 2 } });
  assert.deepEqual([value("model"), value("unknown_token_id"), notes], ["t5", 0, []]);
  assert.deepEqual([value("add_space_prefix"), value("remove_extra_whitespaces")], [true, true]);
  assert.deepEqual(
    tokens,
    some.map(([text]) => text),
  );
  assert.deepEqual([...value<Int32Array>("token_type").slice(0, 5)], [2, 3, 3, 4, 1]);
  assert.deepEqual([...value<Float32Array>("scores").slice(4, 6)], [-1.5, -100]);
  assert.deepEqual(Buffer.from(value<Uint8Array>("precompiled_charsmap")).toString("base64"), charsmap);
  // Hugging Face's own conversion reads the table otherwise.
  const json = JSON.stringify(tokenizerJson).replace('"match":"longest"', '"match":"grapheme"');
  assert.throws(() => exported(t, JSON.parse(json)), {
    message: /got a normalizer Precompiled that replaces character by character/,
  });
});

test("a beginning that the tokenizer adds is added by llama.cpp, too", (t) => {
  const json = {
    ...byteTokenizer(),
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "[QUESTION]", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [],
      special_tokens: { "[QUESTION]": { id: "[QUESTION]", ids: [257], tokens: ["[QUESTION]"] } },
    },
  };
  const { value } = exported(t, json, { generation: { eos_token_id: [256, 258] } });
  assert.deepEqual(
    [value("add_bos_token"), value("bos_token_id"), value("eos_token_id"), value("eot_token_id")],
    [true, 257, 256, 258],
  );
});

test("end tokens that the format has no place for are told of", (t) => {
  const ends = (...ids: number[]) => exported(t, byteTokenizer(), { generation: { eos_token_id: ids } });
  assert.deepEqual(ends(256, 257).notes, []);
  const { value, notes } = ends(257, 256, 258);
  assert.deepEqual([value("eos_token_id"), value("eot_token_id")], [257, 256]);
  assert.match(notes.join(), /^llama\.cpp is told of two of the model's 3 end tokens, 257 and 256; /);
});

test("tokenizers that llama.cpp doesn't have are refused by what they do", async (t) => {
  const model = async (options: object) => {
    const file = join(scratch(t), "a.model");
    writeFileSync(
      file,
      sentencePieceFile({ pieces, byteFallback: true, removeExtraSpaces: false, ...options }),
    );
    return (await readTokenizer(file)).tokenizerJson;
  };
  const fallback = await model({ type: "unigram" });
  const plain = pieces.filter(([, , type]) => type !== "byte");
  const cases: [object, RegExp][] = [
    [fallback, /got a Unigram tokenizer that falls back to bytes$/],
    [
      await model({ removeExtraSpaces: true }),
      /got extra spaces that are removed, which llama\.cpp keeps; --approximate/,
    ],
    [
      await model({ byteFallback: false, pieces: plain }),
      /got a tokenizer without tokens for unknown characters' bytes$/,
    ],
    [whitespaceTokenizer(), /got a pre-tokenizer \w+ without bytes$/],
  ];
  for (const [json, message] of cases)
    assert.throws(() => exported(t, json), { name: "ModelError", message });
});
