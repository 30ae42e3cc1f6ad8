import { isFields, shown } from "../files/fields.js";
import { Tokenizer as Library } from "./library.js";
import { expect } from "./vocabulary.js";

export interface AddedToken {
  id: number;
  content: string;
  /** Searched for in the normalized text instead of the original. */
  normalized: boolean;
  /** The text that is searched for and that the id decodes to: the content, normalized if `normalized`. */
  text: string;
  /** Not part of what a text says. */
  special: boolean;
}

export function parseAddedTokens(
  json: unknown,
  vocabulary: ReadonlyMap<string, number>,
  normalize: (text: string) => string,
): AddedToken[] {
  expect(Array.isArray(json ?? []), "a list of added_tokens", json);
  const ids = new Map(vocabulary);
  const contents = new Set<string>();
  const normalizedTexts = new Set<string>();
  // The Rust library numbers new tokens from the vocabulary's end on, whatever the file says.
  let next = vocabulary.size;
  return ((json ?? []) as unknown[]).map((token) => {
    expect(isFields(token), "an added token", token);
    const { content } = token;
    expect(typeof content === "string" && content !== "", "an added token with content", token);
    const id = ids.get(content) ?? next;
    expect(token.id === id, `id ${id} for the added token ${shown(content)}`, token.id);
    for (const name of ["single_word", "lstrip", "rstrip"])
      expect(!token[name], `no ${name}, which is not supported, for ${shown(content)}`, token[name]);
    ids.set(content, id);
    next = Math.max(next, id + 1);
    const normalized = token.normalized === true;
    const text = normalized ? normalize(content) : content;
    // Of two such tokens the Rust library may take either.
    const twice = contents.has(content) || (normalized && normalizedTexts.has(text));
    expect(!twice, "an added token that reads like no other", content);
    contents.add(content);
    if (normalized) normalizedTexts.add(text);
    return { id, content, normalized, text, special: token.special === true };
  });
}

/**
 * Divides text into ids of added tokens, ids of `symbols`, which are searched for in the normalized text as they are,
 * and the normalized text between them. transformers.js could do so too, but it
 * knows tokens by their texts alone, and normalizing can make two texts equal.
 */
export function divider(
  added: readonly AddedToken[],
  normalize: (text: string) => string,
  symbols: ReadonlyMap<string, number> = new Map(),
): (text: string) => (string | number)[] {
  const idsOf = (tokens: readonly AddedToken[]) => new Map(tokens.map(({ text, id }) => [text, id]));
  const divide = finder(idsOf(added.filter(({ normalized }) => !normalized)));
  const divideNormalized = finder(idsOf(added.filter(({ normalized }) => normalized)));
  const divideSymbols = finder(symbols);
  const each = (parts: (string | number)[], next: (text: string) => (string | number)[]) =>
    parts.flatMap((part) => (typeof part === "number" ? part : next(part)));
  return (text) =>
    each(
      each(divide(text), (part) => divideNormalized(normalize(part))),
      divideSymbols,
    );
}

/** Finds the longest of the tokens at each place. */
function finder(ids: ReadonlyMap<string, number>): (text: string) => (string | number)[] {
  const { splitter_unnormalized: splitter } = new Library(
    {
      model: { type: "BPE", vocab: {}, merges: [] },
      added_tokens: [...ids].map(([content, id]) => ({ content, id, normalized: false })),
      normalizer: null,
      pre_tokenizer: null,
      post_processor: null,
      decoder: null,
    },
    {},
  );
  return (text) => splitter.split(text).map((part) => ids.get(part) ?? part);
}
