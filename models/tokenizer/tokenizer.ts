import { ModelError } from "../files/error.js";
import { type Fields, isFields, shown } from "../files/fields.js";
import { divider, parseAddedTokens } from "./added-tokens.js";
import { prepareNormalizer, preparePostProcessors, preparePreTokenizers } from "./components.js";
import { type Detokenizer, prepareDetokenizer, prepareTokenBytes, type TokenBytes } from "./detokenizer.js";
import { Tokenizer as Library } from "./library.js";
import { tokenContent } from "./token-content.js";
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
  /** Ids of `text`, with those that the post-processor adds (usually none). Lone surrogates count as U+FFFD. */
  encode(text: string): number[];
  /** Text of `ids`; control tokens (pad, unk, bos and eos of tokenizer_config.json) and unknown ids are dropped. */
  decode(ids: readonly number[]): string;
  /** Decodes ids that come one at a time, to the same text as `decode`. */
  detokenizer(): Detokenizer;
  /** A token's own bytes, as the `first` token of a text or a later one. */
  tokenBytes(id: number, first: boolean): TokenBytes;
}

const controlNames = ["pad_token", "unk_token", "bos_token", "eos_token"] as const;

/**
 * From the parsed contents of tokenizer.json and tokenizer_config.json.
 * @throws ModelError if they are malformed or unsupported
 */
export function createTokenizer(json: unknown, config: unknown): Tokenizer {
  if (!isFields(config))
    throw new ModelError(`tokenizer_config.json: expected a JSON object, got ${shown(config)}`);
  expect(isFields(json), "a JSON object", json);
  const { model } = json;
  expect(isFields(model), 'a model of type "BPE"', model);
  expect((model.type ?? "BPE") === "BPE", 'a model of type "BPE"', model.type);
  for (const name of ["truncation", "padding"]) expect(json[name] == null, `null for ${name}`, json[name]);

  const vocabulary = parseVocabulary(model.vocab);
  const normalize = prepareNormalizer(json.normalizer);
  const added = parseAddedTokens(json.added_tokens, vocabulary, normalize);
  const ids = new Map(vocabulary);
  for (const { content, id } of added) ids.set(content, id);
  const encodePart = prepareEncoder(json, model, vocabulary);
  const divide = divider(added, normalize);
  const postProcess = preparePostProcessors(json.post_processor, ids);
  const tokens: (string | undefined)[] = [];
  for (const [token, id] of ids) tokens[id] = token;
  for (const { text, id } of added) tokens[id] = text;
  const tokenId = (content: string) => ids.get(content) ?? null;
  const control = controlIds(config, tokenId);
  const size = tokens.length;
  const names = [...tokens];
  for (const id of control.values()) if (id !== null) tokens[id] = undefined;
  const detokenizer = prepareDetokenizer(json.decoder, tokens);

  return {
    size,
    eosId: control.get("eos_token") ?? null,
    tokenId,
    encode: (text) =>
      postProcess(
        divide(text.replace(/\p{Surrogate}/gu, "\ufffd")).flatMap((part) =>
          typeof part === "number" ? part : encodePart(part),
        ),
      ),
    decode: (ids) => {
      const text = detokenizer();
      return ids.map((id) => text.push(id)).join("") + text.end();
    },
    detokenizer,
    tokenBytes: prepareTokenBytes(json.decoder, tokens, names),
  };
}

/** Encodes text that holds no added tokens. */
function prepareEncoder(
  json: Fields,
  model: Fields,
  vocabulary: ReadonlyMap<string, number>,
): (text: string) => number[] {
  const library = new Library(
    {
      model: prepareModel(model, vocabulary),
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: { type: "Sequence", pretokenizers: preparePreTokenizers(json.pre_tokenizer) },
      post_processor: null,
      decoder: null,
    },
    {},
  );
  const encodeWords = library.model._call.bind(library.model);
  const encodeWord = (word: string) => {
    // Without an unknown token, unknown characters are left out before the rest is merged, not after.
    if (model.unk_token != null || (model.ignore_merges === true && vocabulary.has(word)))
      return encodeWords([word]);
    return library.model.bpe([...word].filter((character) => vocabulary.has(character)).join(""));
  };
  // Unknown tokens are fused within a word, not across words.
  library.model._call = (words) => words.flatMap(encodeWord);
  return (text) => library.encode(text).ids;
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
