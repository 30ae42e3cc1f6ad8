import { ModelError } from "../errors.js";
import { isFields, shown } from "../fields.js";
import type { Normalizer } from "./normalizers.js";
import { classSource } from "./unicode.js";

interface AddedToken {
  id: number;
  content: string;
  /** Not inside of a word. */
  singleWord: boolean;
  /** Takes the white space on its left, or right, with it. */
  lstrip: boolean;
  rstrip: boolean;
  /** Looked for in normalized text, rather than in the text as it came. */
  normalized: boolean;
}

/** A stretch of text, or the id of the added token that stood there. */
export type Section = { text: string; atStart: boolean } | { id: number };

/** Tokens that are found in the text before anything splits it. */
export class AddedTokens {
  readonly ids: ReadonlyMap<string, number>;
  /** By id: what the token decodes to. */
  readonly texts: ReadonlyMap<number, string>;
  readonly #raw: Finder;
  readonly #normalized: Finder;

  /** @throws ModelError if `json`, tokenizer.json's `added_tokens`, does not fit `vocabulary` */
  constructor(json: unknown, vocabulary: ReadonlyMap<string, number>, normalize: Normalizer) {
    const tokens = parseTokens(json, vocabulary);
    const asNormalized = tokens
      .filter((token) => token.normalized)
      .map((token) => ({ ...token, content: normalize(token.content) }));
    this.ids = new Map(tokens.map((token) => [token.content, token.id]));
    this.texts = new Map([...tokens, ...asNormalized].map((token) => [token.id, token.content]));
    this.#raw = finder(tokens.filter((token) => !token.normalized));
    this.#normalized = finder(asNormalized);
  }

  /** Covers the whole text, normalized between the tokens; no section's text is empty. */
  split(text: string, normalize: Normalizer): Section[] {
    const inRaw = this.#raw({ text, atStart: true });
    return inRaw.flatMap((section) =>
      "id" in section ? [section] : this.#normalized({ ...section, text: normalize(section.text) }),
    );
  }
}

type Finder = (section: { text: string; atStart: boolean }) => Section[];

const endsWithWord = new RegExp(`[${classSource("word")}]$`, "u");
const startsWithWord = new RegExp(`^[${classSource("word")}]`, "u");
const space = /\p{White_Space}/u;

function finder(tokens: AddedToken[]): Finder {
  const byContent = new Map(
    tokens.filter((token) => token.content !== "").map((token) => [token.content, token]),
  );
  if (byContent.size === 0) return (section) => (section.text === "" ? [] : [section]);
  // The first alternative that matches wins, and the longest token must.
  const contents = [...byContent.keys()].sort((a, b) => b.length - a.length);
  const source = contents.map((content) => content.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")).join("|");
  const pattern = new RegExp(source, "gu");
  return ({ text, atStart }) => {
    const sections: Section[] = [];
    let done = 0;
    const cut = (to: number) => {
      if (done < to) sections.push({ text: text.slice(done, to), atStart: atStart && done === 0 });
    };
    for (const match of text.matchAll(pattern)) {
      const token = byContent.get(match[0])!;
      let start = match.index;
      let end = start + match[0].length;
      if (
        token.singleWord &&
        (endsWithWord.test(lastOf(text, start)) || startsWithWord.test(text.slice(end, end + 2)))
      )
        continue;
      if (token.lstrip) while (start > done && space.test(text[start - 1]!)) start--;
      if (token.rstrip) while (end < text.length && space.test(text[end]!)) end++;
      cut(start);
      sections.push({ id: token.id });
      done = end;
    }
    cut(text.length);
    return sections;
  };
}

/** Enough of what comes before `end` to hold its last character. */
const lastOf = (text: string, end: number) => text.slice(Math.max(0, end - 2), end);

function parseTokens(json: unknown, vocabulary: ReadonlyMap<string, number>): AddedToken[] {
  if (json === null || json === undefined) return [];
  if (!Array.isArray(json))
    throw new ModelError(`tokenizer.json: expected a list of added_tokens, got ${shown(json)}`);
  // The library numbers new tokens from the vocabulary's end on, whatever the file says.
  let next = vocabulary.size;
  const seen = new Map<string, number>();
  return json.map((one: unknown): AddedToken => {
    if (!isFields(one) || typeof one.content !== "string" || typeof one.id !== "number")
      throw new ModelError(`tokenizer.json: expected an added token with id and content, got ${shown(one)}`);
    const { id, content } = one;
    const expected = seen.get(content) ?? vocabulary.get(content) ?? next;
    if (id !== expected)
      throw new ModelError(
        `tokenizer.json: expected id ${expected} for the added token ${shown(content)}, got ${id}`,
      );
    seen.set(content, id);
    next = Math.max(next, id + 1);
    return {
      id,
      content,
      singleWord: one.single_word === true,
      lstrip: one.lstrip === true,
      rstrip: one.rstrip === true,
      normalized: one.normalized === true || (one.normalized === undefined && one.special !== true),
    };
  });
}
