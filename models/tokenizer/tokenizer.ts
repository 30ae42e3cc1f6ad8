import { ModelError } from "../files/error.js";
import { type Fields, isFields, shown } from "../files/fields.js";
import { divider, parseAddedTokens } from "./added-tokens.js";
import { prepareByteFallback } from "./byte-fallback.js";
import { preparePostProcessors, preparePreTokenizers } from "./components.js";
import { type Detokenizer, prepareDetokenizer, prepareTokenBytes, type TokenBytes } from "./detokenizer.js";
import { type Extension, parseExtension } from "./extension.js";
import { Tokenizer as Library, SequencePreTokenizer } from "./library.js";
import { prepareNormalizer } from "./normalizer.js";
import { tokenContent } from "./token-content.js";
import { parseScores, prepareUnigram } from "./unigram.js";
import { UnknownCharacterError } from "./unknown-character.js";
import { expect, parseVocabulary, prepareModel } from "./vocabulary.js";

/**
 * Text to ids and back, exactly as the Rust `tokenizers` library, with which models are trained. transformers.js'
 * tokenizer does the work; where it would read tokenizer.json differently, it gets a reworded copy. A tokenizer that
 * can't be exact is refused: a model that sees other ids than in training answers nonsense.
 */
export interface Tokenizer {
  /** The highest id plus one, added tokens included. */
  size: number;
  /** The id of tokenizer_config.json's `eos_token`. */
  eosId: number | null;
  /** The id of the token that reads exactly `content`. */
  tokenId(content: string): number | null;
  /**
   * Ids of `text`, with those that the post-processor adds (often none). Lone surrogates count as U+FFFD.
   * @param adds false leaves out what the post-processor adds, since a chat template writes that itself
   * @throws UnknownCharacterError for a character without a token, if the model's tokenizer refuses these
   */
  encode(text: string, adds?: boolean): number[];
  /**
   * Text of `ids`. Control tokens (pad, unk, bos and eos of tokenizer_config.json, and special tokens that end a text) and
   * unknown ids are dropped.
   */
  decode(ids: readonly number[]): string;
  /** Decodes ids that come one at a time, to the same text as `decode`. */
  detokenizer(): Detokenizer;
  /** A token's own bytes, as the `first` token of a text or a later one. */
  tokenBytes(id: number, first: boolean): TokenBytes;
}

const controlNames = ["pad_token", "unk_token", "bos_token", "eos_token"] as const;

/**
 * From the parsed contents of tokenizer.json and tokenizer_config.json.
 * @param ends ids that end a text
 * @throws ModelError if they are malformed or unsupported
 */
export function createTokenizer(json: unknown, config: unknown, ends: readonly number[] = []): Tokenizer {
  if (!isFields(config))
    throw new ModelError(`tokenizer_config.json: expected a JSON object, got ${shown(config)}`);
  expect(isFields(json), "a JSON object", json);
  const { model } = json;
  expect(isFields(model), 'a model of type "BPE" or "Unigram"', model);
  const type = model.type ?? "BPE";
  expect(type === "BPE" || type === "Unigram", 'a model of type "BPE" or "Unigram"', type);
  for (const name of ["truncation", "padding"]) expect(json[name] == null, `null for ${name}`, json[name]);

  const extension = parseExtension(model.jai);
  const { vocabulary, encodeWord } =
    type === "BPE" ? prepareBpe(model, extension) : prepareScored(model, extension);
  const normalize = prepareNormalizer(json.normalizer);
  const added = parseAddedTokens(json.added_tokens, vocabulary, normalize);
  const ids = new Map(vocabulary);
  for (const { content, id } of added) ids.set(content, id);
  const encodePart = prepareEncoder(json, vocabulary, encodeWord);
  const divide = divider(added, normalize, symbolsOf(extension, vocabulary));
  const postProcess = preparePostProcessors(json.post_processor, ids);
  const tokens: (string | undefined)[] = [];
  for (const [token, id] of ids) tokens[id] = token;
  for (const { text, id } of added) tokens[id] = text;
  const tokenId = (content: string) => ids.get(content) ?? null;
  const control = controlIds(config, tokenId);
  const size = tokens.length;
  const names = [...tokens];
  for (const id of control.values()) if (id !== null) tokens[id] = undefined;
  for (const { id, special } of added) if (special && ends.includes(id)) tokens[id] = undefined;
  const detokenizer = prepareDetokenizer(json.decoder, tokens);

  return {
    size,
    eosId: control.get("eos_token") ?? null,
    tokenId,
    encode: (text, adds = true) => {
      const ids = divide(text.replace(/\p{Surrogate}/gu, "\ufffd")).flatMap((part) =>
        typeof part === "number" ? part : encodePart(part),
      );
      return adds ? postProcess(ids) : ids;
    },
    decode: (ids) => {
      const text = detokenizer();
      return ids.map((id) => text.push(id)).join("") + text.end();
    },
    detokenizer,
    tokenBytes: prepareTokenBytes(json.decoder, tokens, names),
  };
}

interface Model {
  vocabulary: ReadonlyMap<string, number>;
  /** Tokens of a word. */
  encodeWord(word: string): string[];
}

/** Encodes text that holds no added tokens. */
function prepareEncoder(
  json: Fields,
  vocabulary: Model["vocabulary"],
  encodeWord: Model["encodeWord"],
): (text: string) => number[] {
  const { pre_tokenizer: splitter } = json;
  const words = new SequencePreTokenizer({ pretokenizers: preparePreTokenizers(splitter) });
  return (text) =>
    text === ""
      ? []
      : words.pre_tokenize(text).flatMap((word) => encodeWord(word).map((token) => vocabulary.get(token)!));
}

function prepareScored(model: Fields, extension: Extension): Model {
  const scored = parseScores(model.vocab);
  return { vocabulary: scored.vocabulary, encodeWord: prepareUnigram(model, scored, extension) };
}

function prepareBpe(model: Fields, { refusesUnknown, unreachable }: Extension): Model {
  const vocabulary = parseVocabulary(model.vocab);
  const fallback = prepareByteFallback(model.byte_fallback, vocabulary);
  const { model: library } = new Library(
    {
      model: prepareModel(model, vocabulary),
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: null,
      post_processor: null,
      decoder: null,
    },
    {},
  );
  const isKnown = (token: string) => vocabulary.has(token) && !unreachable.has(token);
  const { unk_token: unknown, fuse_unk: fused, ignore_merges } = model;
  const whole = (word: string) => ignore_merges === true && isKnown(word);
  const encodeUnknown = (token: string, follows: boolean): string[] => {
    if (refusesUnknown) throw new UnknownCharacterError(token);
    if (fallback) return fallback(token);
    if (typeof unknown !== "string") return [];
    return fused === true && follows ? [] : [unknown];
  };
  // Without an unknown token, unknown characters are left out before the rest is merged, not after.
  const leavesOut = unknown == null && fallback === null && !refusesUnknown;
  const encodeWord = (word: string) => {
    if (whole(word)) return [word];
    const tokens: string[] = [];
    let follows = false;
    for (const token of library.bpe(leavesOut ? [...word].filter(isKnown).join("") : word)) {
      const known = isKnown(token);
      if (known) tokens.push(token);
      // Unknown tokens are fused within a word, not across words.
      else tokens.push(...encodeUnknown(token, follows));
      follows = !known;
    }
    return tokens;
  };
  return { vocabulary, encodeWord };
}

/** @throws ModelError if one of them is no token */
function symbolsOf({ symbols }: Extension, vocabulary: Model["vocabulary"]): Map<string, number> {
  return new Map(
    symbols.map((symbol) => {
      const id = vocabulary.get(symbol);
      expect(symbol !== "" && id !== undefined, "tokens of the vocabulary as symbols in jai", symbol);
      return [symbol, id];
    }),
  );
}

/** Ids of the control tokens that tokenizer_config.json names; null for one that it doesn't name. */
function controlIds(
  config: Fields,
  tokenId: (content: string) => number | null,
): Map<(typeof controlNames)[number], number | null> {
  return new Map(
    controlNames.map((name) => {
      const content = tokenContent(config[name]);
      const id = content === null ? null : tokenId(content);
      if (content !== null && id === null)
        throw new ModelError(
          `tokenizer_config.json: expected a token of tokenizer.json for ${name}, got ${shown(content)}`,
        );
      return [name, id];
    }),
  );
}
