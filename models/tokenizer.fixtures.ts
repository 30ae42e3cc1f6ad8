/** Tokenizers and texts for tests, made on the spot and always the same. */
import type { Fields } from "./fields.js";
import { byteTokenizer } from "./fixture.js";
import { ByteLevelPreTokenizer } from "./tokenizer/library.js";

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const between = (first: number, last: number) => (random: () => number) =>
  String.fromCodePoint(first + Math.floor(random() * (last - first + 1)));
const among = (choices: readonly string[]) => (random: () => number) =>
  choices[Math.floor(random() * choices.length)]!;

const pools: ((random: () => number) => string)[] = [
  between(0x20, 0x7e),
  between(0x61, 0x7a),
  between(0x30, 0x39),
  between(0xac00, 0xd7a3),
  between(0x1100, 0x11ff),
  between(0x4e00, 0x9fff),
  between(0x3040, 0x30ff),
  between(0x0370, 0x052f),
  between(0x0590, 0x06ff),
  between(0x0900, 0x0dff),
  between(0x0e00, 0x0eff),
  between(0x0300, 0x036f),
  between(0x1ab0, 0x1aff),
  between(0x2000, 0x206f),
  between(0x2150, 0x218f),
  between(0xff00, 0xffef),
  between(0x00, 0x1f),
  between(0x7f, 0xff),
  between(0x1f300, 0x1faff),
  between(0x1d400, 0x1d7ff),
  between(0x10000, 0x1ffff),
  between(0x20000, 0x3ffff),
  between(0xe0000, 0xe01ef),
  // The whole plane: half of the surrogates in it stand alone.
  between(0x0000, 0xffff),
  between(0x10000, 0x10ffff),
  among([
    " ",
    "  ",
    "\n",
    "\r\n",
    "\t",
    "\0",
    "\u0085",
    "\u00a0",
    "\u1680",
    "\u2028",
    "\u3000",
    "\ufeff",
    "\u200b",
  ]),
  among(["👩‍👩‍👧‍👦", "👍🏽", "🇰🇷", "❤️", "e\u0301", "각", "ﬁ", "İ", "ΑΣ", "ß", "²", "½", "Ⅷ", "10년", "あ゙"]),
  among([
    "[EOS]",
    "[UNK]",
    "[PAD]",
    "[ANSWER]",
    "[/ANSWER]",
    "[QUESTION]",
    "[EOS",
    "EOS]",
    "<0x41>",
    "▁",
    "Ġ",
    "_",
  ]),
  among([
    "'s",
    "'ll",
    "'LL",
    "'S",
    "it'ſabc",
    "don't",
    "the",
    "ing",
    "서울",
    "개발자",
    "채용",
    "a b",
    "aab",
    "10",
    "2026-01-31",
    "...",
  ]),
];

/** Text of any characters at all, lone surrogates included, in runs of one script or mixed. */
export function randomText(random: () => number): string {
  let text = "";
  for (let runs = 1 + Math.floor(random() * 6); runs > 0; runs--) {
    const draw = pools[Math.floor(random() * pools.length)]!;
    for (let count = 1 + Math.floor(random() * 5); count > 0; count--) text += draw(random);
    if (random() < 0.4) text += " ";
  }
  return text;
}

const corpus = `서울에서 React 개발자 채용 있어? 판교 백엔드 개발자를 찾습니다. 10년 이상 경력, 2026-01-31 마감.
the quick brown fox doesn't jump over the lazy dogs, they're sleeping... ing ing aab aab abab naïve café 日本語 テスト
연봉 3,000 - 9,000 (SGD) 회사 : Randstad Singapore 위치 : 서울 강남구 채용하는 곳 알려줘 🙂🙂`;

/** The `model` of a byte-pair tokenizer trained on a few lines, with `merges` joins at most. */
export function tinyBpe(
  words: readonly string[],
  { first = [] as string[], merges = 150, ...options }: Fields & { first?: string[]; merges?: number } = {},
): Fields {
  const tokens = new Set([...first, ...words.flatMap((word) => [...word])]);
  const split = words.map((word) => [...word]);
  const joins: [string, string][] = [];
  while (joins.length < merges) {
    const counts = new Map<string, number>();
    for (const parts of split)
      for (let i = 1; i < parts.length; i++) {
        const pair = `${parts[i - 1]}\0${parts[i]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    const best = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))[0];
    if (best === undefined || best[1] < 2) break;
    const [left, right] = best[0].split("\0") as [string, string];
    joins.push([left, right]);
    tokens.add(left + right);
    for (const parts of split)
      for (let i = 1; i < parts.length; i++)
        if (parts[i - 1] === left && parts[i] === right) parts.splice(i - 1, 2, left + right);
  }
  return {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    ...options,
    vocab: Object.fromEntries([...tokens].map((token, id) => [token, id])),
    merges: joins,
  };
}

export const wordsOf = (text: string) => text.match(/[\p{L}\p{N}]+|[^\p{L}\p{N}\s]+/gu) ?? [];

const specials = ["[PAD]", "[UNK]", "[BOS]", "[EOS]"];
const addedToken = (content: string, id: number, options: Fields = {}): Fields => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
  ...options,
});

/** tokenizer.json with everything that is not given left out. */
export function tokenizerJson(parts: Fields): Fields {
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    ...parts,
  };
}

/** As the JAI models' tokenizer is made: words and their parts, an unknown token, no decoder. */
export function whitespaceTokenizer(options: Fields = {}, parts: Fields = {}): Fields {
  return tokenizerJson({
    added_tokens: specials.map((content, id) => addedToken(content, id)),
    pre_tokenizer: { type: "Whitespace" },
    model: tinyBpe(wordsOf(corpus), { first: specials, unk_token: "[UNK]", ...options }),
    ...parts,
  });
}

const { model: byteModel } = byteTokenizer() as { model: { vocab: Record<string, number> } };
const byteCharacters = Object.keys(byteModel.vocab);
const byteLevel = new ByteLevelPreTokenizer({ type: "ByteLevel", add_prefix_space: false, use_regex: false });
const showBytes = (text: string) => byteLevel.pre_tokenize(text).join("");

/** Every text is known to its bytes; the tags of questions and answers are tokens, and stay when decoded. */
export function byteLevelTokenizer(parts: Fields = {}): Fields {
  const tags = ["[QUESTION]", "[/QUESTION]", "[ANSWER]", "[/ANSWER]", "[EOS]"];
  const words = corpus.match(/ ?[^\s]+|\s+/gu) ?? [];
  return tokenizerJson({
    added_tokens: tags.map((content, id) => addedToken(content, id)),
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: tinyBpe(words.map(showBytes), { first: [...tags, ...byteCharacters], merges: 300 }),
    ...parts,
  });
}

export { addedToken };
