import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, it } from "node:test";
import { randomCases, testSeed } from "../../../ops/random-cases.js";
import type { Fields } from "../../files/fields.js";
import { charsmapOf } from "../../fixtures/charsmap.js";
import { type Picklable, pickleOf } from "../../fixtures/pickles.js";
import { BYTES, CONTROLS, sentencePieceFile, type TestPiece } from "../../fixtures/sentencepiece.js";
import { byteLevelTokenizer, whitespaceTokenizer } from "../../fixtures/tokenizers.js";
import { mulberry32 } from "../../recipe/random.js";
import { fromSymbols } from "../../tokenizer/byte-alphabet.js";
import { createTokenizer } from "../../tokenizer/tokenizer.js";
import { readTokenizer } from "./index.js";

const dir = mkdtempSync(join(tmpdir(), "jai-tokenizer-"));
after(() => rmSync(dir, { recursive: true, force: true }));
let folders = 0;

/** Writes files into a folder of their own. */
function folder(files: Readonly<Record<string, string | Buffer>>): string {
  const made = join(dir, `${folders++}`);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(made, name)), { recursive: true });
    writeFileSync(join(made, name), content);
  }
  return made;
}

async function open(content: string | Buffer, name = "tokenizer") {
  const converted = await readTokenizer(join(folder({ [name]: content }), name));
  return { ...converted, tokenizer: createTokenizer(converted.tokenizerJson, {}) };
}

const refused = async (content: string | Buffer, message: RegExp, name = "tokenizer") => {
  await assert.rejects(readTokenizer(join(folder({ [name]: content }), name)), (error: Error) => {
    assert.equal(error.name, "ImportError", error.stack);
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  });
};

const model = byteLevelTokenizer().model as { vocab: Record<string, number>; merges: [string, string][] };
/** Bytes and their joins, without the added tokens. */
const ranked = new Map(
  [
    ...Array.from({ length: 256 }, (_, byte) => toSymbols8(byte)),
    ...model.merges.map((pair) => pair.join("")),
  ]
    .filter((token, i, all) => all.indexOf(token) === i)
    .map((token, rank) => [token, rank]),
);
const rankFile = [...ranked]
  .map(([token, rank]) => `${Buffer.from(fromSymbols(token)!).toString("base64")} ${rank}`)
  .join("\n");
const texts = [
  "",
  "서울에서 개발자를 doesn't  sleeping\n\n 10년",
  "<|endoftext|>",
  "🙂é\u0000",
  "ing ing the the",
];

function toSymbols8(byte: number): string {
  return Object.keys(model.vocab).find((token) => {
    const bytes = fromSymbols(token);
    return bytes?.length === 1 && bytes[0] === byte;
  })!;
}

describe("a tokenizer of another format", () => {
  it("is a tokenizer.json, also one with a byte order mark", async () => {
    const json = whitespaceTokenizer();
    const { kind, tokenizerJson, eos } = await open(`\ufeff${JSON.stringify(json)}`);
    assert.deepEqual({ kind, tokenizerJson, eos }, { kind: "tokenizer.json", tokenizerJson: json, eos: [] });
  });

  it("is a rank file of tiktoken, whose special token is found in no text", async () => {
    const { kind, tokenizer, eos } = await open(rankFile, "some.tiktoken");
    assert.deepEqual([kind, eos], ["tiktoken", ["<|endoftext|>"]]);
    assert.equal(tokenizer.tokenId("<|endoftext|>"), ranked.size);
    // Trained pairs are joined in the order of their ranks, so that merges and ranks are the same tokenizer.
    const { added_tokens: _, ...plain } = byteLevelTokenizer();
    const vocab = Object.fromEntries(ranked);
    const same = createTokenizer({ ...plain, model: { ...model, vocab } }, {});
    for (const text of texts) {
      assert.deepEqual(tokenizer.encode(text), same.encode(text));
      assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
    }
  });

  it("is nanochat's tokenizer.pkl, whose special tokens are", async () => {
    const ranks = new Map(
      [...ranked].map(([token, rank]): [Picklable, Picklable] => [fromSymbols(token)!, rank]),
    );
    const special = new Map<Picklable, Picklable>([
      ["<|assistant_end|>", ranked.size + 1],
      ["<|bos|>", ranked.size],
    ]);
    const state = new Map<Picklable, Picklable>([
      [
        "pat_str",
        "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,2}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
      ],
      ["mergeable_ranks", ranks],
      ["special_tokens", special],
    ]);
    const { kind, bos, eos, tokenizer } = await open(
      pickleOf({ module: "tiktoken.core", name: "Encoding", state }),
    );
    assert.deepEqual([kind, bos, eos], ["tiktoken", "<|bos|>", ["<|assistant_end|>", "<|bos|>"]]);
    assert.deepEqual(tokenizer.encode("<|bos|>").concat(tokenizer.encode("<|assistant_end|>")), [
      ranked.size,
      ranked.size + 1,
    ]);
    for (const text of texts) assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
  });

  it("is a pair of vocabulary and merges: OpenAI's or Hugging Face's, by a file or the folder", async () => {
    const vocab = JSON.stringify({ ...Object.fromEntries(ranked), "<|endoftext|>": ranked.size });
    const merges = `#version: 0.2\n${model.merges.map((pair) => pair.join(" ")).join("\n")}\n`;
    for (const [names, found] of [
      [["encoder.json", "vocab.bpe"], false],
      [["vocab.json", "merges.txt"], true],
    ] as const) {
      const made = folder({ [names[0]]: vocab, [names[1]]: merges });
      for (const path of [made, ...names.map((name) => join(made, name))]) {
        const { tokenizerJson, eos } = await readTokenizer(path);
        const tokenizer = createTokenizer(tokenizerJson, {});
        assert.deepEqual(eos, ["<|endoftext|>"]);
        for (const text of texts) assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
        assert.equal(tokenizer.encode("<|endoftext|>").length === 1, found);
      }
    }
    const qwen = {
      "vocab.json": vocab,
      "merges.txt": merges,
      "tokenizer_config.json": '{"tokenizer_class":"Qwen2Tokenizer"}',
    };
    await assert.rejects(
      readTokenizer(join(folder(qwen), "merges.txt")),
      /tokenizer\.json of a "Qwen2Tokenizer" beside/,
    );
    await refused(vocab, /expected merges\.txt beside this file, got none/, "vocab.json");
    await refused(merges, /expected vocab\.json beside this file, got none/, "merges.txt");
  });

  it("is nanoGPT's meta.pkl, whose other characters are refused", async () => {
    const stoi = new Map<Picklable, Picklable>([
      ["\n", 0],
      ["a", 2],
      ["가", 1],
    ]);
    const { kind, tokenizer } = await open(
      pickleOf(
        new Map<Picklable, Picklable>([
          ["vocab_size", 3],
          ["stoi", stoi],
        ]),
      ),
    );
    assert.equal(kind, "characters");
    assert.deepEqual(tokenizer.encode("가a\n"), [1, 2, 0]);
    assert.equal(tokenizer.decode([1, 2, 0]), "가a\n");
    assert.throws(() => tokenizer.encode("가b"), /got "b" \(U\+0062\)/);
  });

  it("is the text that a character model was trained on, as Python reads it", async () => {
    const { tokenizer, tokenizerJson } = await open("\ufeffba\r\n🙂한a", "input.txt");
    assert.deepEqual((tokenizerJson.model as Fields).vocab, {
      "\n": 0,
      a: 1,
      b: 2,
      한: 3,
      "\ufeff": 4,
      "🙂": 5,
    });
    assert.equal(tokenizer.decode(tokenizer.encode("🙂한\n")), "🙂한\n");
    await refused(
      "ba\n",
      /^[^:]+: expected a tokenizer\.json, a SentencePiece \.model, .*, got another text$/,
    );
  });

  it("may be named by its folder", async () => {
    const json = JSON.stringify(whitespaceTokenizer());
    const made = folder({ "tokenizer.json": json, "input.txt": "ab" });
    assert.equal((await readTokenizer(made)).kind, "tokenizer.json");
    await assert.rejects(
      readTokenizer(folder({ "a.bin": "" })),
      /expected a tokenizer \(tokenizer\.json, .*\), got none/,
    );
    await assert.rejects(readTokenizer(join(dir, "none")), /got no such file$/);
  });

  it("is refused with the file to name instead, if it is llama2.c's .bin", async () => {
    const made = folder({ "tokenizer.bin": Buffer.from([7, 0, 0, 0, 0xff, 0xfe]) });
    await assert.rejects(
      readTokenizer(join(made, "tokenizer.bin")),
      /tokenizer\.bin: expected .*, got llama2\.c's \.bin; name the SentencePiece \.model that it was made from$/,
    );
  });
});

const letters = (score: number): TestPiece[] => [..."▁abcdef"].map((text, i) => [text, score - i]);
const bpePieces: TestPiece[] = [
  ...CONTROLS,
  ["<|sys|>", 0, "user"],
  ["ab", -1],
  ["▁ab", -2],
  ["cd", -3],
  ["abcd", -4],
  ["▁▁", -5],
  ...letters(-10),
];

describe("a SentencePiece model", () => {
  const opened = async (model: Parameters<typeof sentencePieceFile>[0]) => {
    const { tokenizer, ...rest } = await open(sentencePieceFile(model), "tokenizer.model");
    const names = model.pieces.map(([text]) => text);
    return { ...rest, tokenizer, pieces: (text: string) => tokenizer.encode(text).map((id) => names[id]) };
  };

  it("of BPE joins the best pair first, and finds symbols of the user but no control pieces", async () => {
    const { kind, bos, eos, pieces, tokenizer } = await opened({ pieces: bpePieces });
    assert.deepEqual([kind, bos, eos], ["sentencepiece", "<s>", ["</s>"]]);
    assert.deepEqual(pieces("abcd ab"), ["▁ab", "cd", "▁ab"]);
    assert.deepEqual(pieces("  fabcd  e "), ["▁", "f", "abcd", "▁", "e"]);
    assert.deepEqual(pieces("<|sys|>ab"), ["▁", "<|sys|>", "ab"]);
    assert.deepEqual(pieces("<s>a"), ["▁", "<unk>", "a"]);
    assert.deepEqual([pieces(""), pieces("  ")], [[], []]);
    assert.equal(tokenizer.decode(tokenizer.encode(" zz ab")), " \u2047  ab");
    assert.equal(tokenizer.decode([1, ...tokenizer.encode("ab cd"), 2]), "ab cd");
  });

  it("keeps spaces, and leaves out the one before the text, as it says", async () => {
    const kept = await opened({ pieces: bpePieces, dummyPrefix: false, removeExtraSpaces: false });
    assert.deepEqual(kept.pieces("  ab "), ["▁", "▁ab", "▁"]);
    assert.equal(kept.tokenizer.decode(kept.tokenizer.encode("  ab ")), "  ab ");
    const prefixed = await opened({ pieces: bpePieces, removeExtraSpaces: false });
    assert.deepEqual(prefixed.pieces(" ab"), ["▁", "▁ab"]);
    assert.equal(prefixed.tokenizer.decode(prefixed.tokenizer.encode(" ab")), " ab");
  });

  it("falls back to bytes, and gives a character as soon as its bytes are whole", async () => {
    const { tokenizer } = await opened({
      pieces: [...CONTROLS, ...BYTES, ...letters(-1)],
      byteFallback: true,
    });
    const ids = tokenizer.encode("é🙂");
    const decoder = tokenizer.detokenizer();
    assert.deepEqual(
      ids.map((id) => decoder.push(id)),
      ["", "", "é", "", "", "", "🙂"],
    );
    const ended = tokenizer.detokenizer();
    assert.deepEqual(
      [ended.push(ids[1]!), ended.push(ids[3]!), ended.push(3 + 0x41), ended.end()],
      ["", "\ufffd", "\ufffdA", ""],
    );
    assert.deepEqual(tokenizer.tokenBytes(3 + 0xc3, false), { bytes: Uint8Array.of(0xc3), text: null });
    assert.equal(tokenizer.decode(tokenizer.encode("<0x41>")), "<0x41>");
  });

  it("of Unigram takes the pieces that score best", async () => {
    const scores: TestPiece[] = [
      ["▁", -2],
      ["a", -3],
      ["b", -3],
      ["ab", -4],
      ["▁a", -4.5],
      ["bb", -7],
    ];
    const { pieces } = await opened({
      pieces: [...CONTROLS, ["<|sys|>", 0, "user"], ...scores],
      type: "unigram",
    });
    assert.deepEqual(pieces("ab"), ["▁", "ab"]);
    assert.deepEqual(pieces("a bb"), ["▁a", "▁", "b", "b"]);
    assert.deepEqual(pieces("<|sys|>zza</s>"), ["▁", "<|sys|>", "<unk>", "a", "<unk>"]);
  });

  it("normalizes by its own table, the longest match first", async () => {
    const charsmap = charsmapOf({ Ａ: "a", "Ａ\u0301": "b", "\t": " ", "\u0001": "" });
    const { pieces } = await opened({ pieces: bpePieces, charsmap });
    assert.deepEqual(pieces("\tＡＡ\u0301\u0001\t\tcd"), ["▁ab", "▁", "cd"]);
    const symbols: TestPiece[] = [...bpePieces, ["\t", 0, "user"], ["Ａ", 0, "user"]];
    const kept = await opened({ pieces: symbols, charsmap });
    assert.deepEqual(kept.pieces("\tＡa  \tb"), ["▁", "\t", "Ａ", "a", "▁", "\t", "b"]);
  });

  it("that can't be exact is refused with one line", async () => {
    const file = (model: Partial<Parameters<typeof sentencePieceFile>[0]>) =>
      sentencePieceFile({ pieces: bpePieces, ...model });
    await refused(file({ type: "word" }), /type bpe or unigram, got word/);
    await refused(file({ pieces: [["a"], ["b"]] }), /one unknown piece .*, got 0/);
    await refused(file({ pieces: [...bpePieces, ["ab", -9]] }), /each piece once, got "ab"/);
    await refused(file({ pieces: [...bpePieces, ["ef", -1]] }), /a score of its own for each piece/);
    await refused(file({ pieces: [...bpePieces, ["ef", -9, "unused"]] }), /without unused pieces/);
    await refused(file({ byteFallback: true }), /256 pieces of bytes, got 0/);
    await refused(file({ charsmap: "AAAA" }), /a precompiled_charsmap of a trie/);
    await refused(file({ pieces: [...bpePieces, ["a b", 0, "user"]] }), /symbols without spaces/);
    await refused(file({}).subarray(0, -3), /got an end too early at byte \d+; is the file whole\?/);
  });
});

describe("a hostile file", () => {
  it("is refused with one line, wherever it is damaged", async () => {
    const random = mulberry32(testSeed(1));
    const stoi = new Map<Picklable, Picklable>([..."abcdef"].map((one, id) => [one, id]));
    const whole = [
      sentencePieceFile({
        pieces: [...bpePieces, ...BYTES],
        byteFallback: true,
        charsmap: charsmapOf({ Ａ: "a" }),
      }),
      sentencePieceFile({ pieces: bpePieces, type: "unigram" }),
      pickleOf(new Map<Picklable, Picklable>([["stoi", stoi]])),
    ];
    const rounds = randomCases(200, 2000);
    let failed = 0;
    for (let round = 0; round < rounds; round++) {
      const bytes = Buffer.from(whole[round % whole.length]!);
      const header = Math.min(bytes.length, 200);
      for (let n = 1 + Math.floor(random() * 4); n > 0; n--)
        bytes[Math.floor(random() * (random() < 0.7 ? header : bytes.length))] = Math.floor(random() * 256);
      const file = join(
        folder({ x: random() < 0.2 ? bytes.subarray(0, random() * bytes.length) : bytes }),
        "x",
      );
      try {
        const { tokenizerJson } = await readTokenizer(file);
        createTokenizer(tokenizerJson, {}).encode("abcd ef");
      } catch (error) {
        const { name, message } = error as Error;
        const own = ["ImportError", "ModelError", "UnknownCharacterError"].includes(name);
        assert.ok(own && !message.includes("\n"), (error as Error).stack);
        failed++;
      }
    }
    assert.ok(failed > rounds / 4, `${failed} refused`);
  });

  it("names no code that runs, and is given up when it would take too long", async () => {
    const system = Buffer.concat([
      Buffer.from("\x80\x04cposix\nsystem\nX\x04\x00\x00\x00true\x85R.", "latin1"),
    ]);
    await refused(system, /"posix\.system" is refused, nothing was run/);
    // Each of these tokens is one that no two others make, and would take a million steps by itself.
    const long = Array.from(
      { length: 400 },
      (_, i) => `${Buffer.from("ab".repeat(2000 + i)).toString("base64")} ${1000 + i}`,
    );
    await refused(
      [rankFile, `${Buffer.from("abab").toString("base64")} 999`, ...long].join("\n"),
      /far too long for that$/,
    );
  });
});
