import { tokenContent } from "./chat-template.js";
import { ModelError } from "./errors.js";
import { isFields, readFields, shown } from "./fields.js";
import { AddedTokens } from "./tokenizer/added-tokens.js";
import { Bpe } from "./tokenizer/bpe.js";
import { compileDecoder } from "./tokenizer/decoders.js";
import { compileNormalizer } from "./tokenizer/normalizers.js";
import { compilePostProcessor } from "./tokenizer/post-processors.js";
import { compilePreTokenizer } from "./tokenizer/pre-tokenizers.js";

/**
 * Text to ids and back, exactly as the Rust `tokenizers` library does it, which trained the model. What cannot be done
 * exactly is refused when the tokenizer is made: a model that sees other ids than it was trained on answers nonsense.
 */
export interface Tokenizer {
  /** The highest id plus one, added tokens included. */
  size: number;
  /** The id of tokenizer_config.json's `eos_token`. */
  eosId: number | null;
  /** The id of the token that reads exactly `content`. */
  tokenId(content: string): number | null;
  /** Ids of `text`; lone surrogates count as U+FFFD. What the post-processor adds (none, usually) is part of it. */
  encode(text: string): number[];
  /** Text of `ids`; control tokens (pad, unk, bos and eos of tokenizer_config.json) and unknown ids are dropped. */
  decode(ids: readonly number[]): string;
}

const controlNames = ["pad_token", "unk_token", "bos_token", "eos_token"] as const;

/** @throws ModelError if tokenizer.json or tokenizer_config.json is missing, malformed or unsupported */
export function loadTokenizer(dir: string): Tokenizer {
  return createTokenizer(readFields(dir, "tokenizer.json"), readFields(dir, "tokenizer_config.json"));
}

/** The same from the parsed contents of the two files. */
export function createTokenizer(json: unknown, config: unknown): Tokenizer {
  if (!isFields(json)) throw new ModelError(`tokenizer.json: expected a JSON object, got ${shown(json)}`);
  if (!isFields(config))
    throw new ModelError(`tokenizer_config.json: expected a JSON object, got ${shown(config)}`);
  if (!isFields(json.model) || (json.model.type ?? "BPE") !== "BPE")
    throw new ModelError(
      `tokenizer.json: expected a model of type "BPE", got ${shown(isFields(json.model) ? json.model.type : json.model)}`,
    );
  for (const name of ["truncation", "padding"])
    if (json[name] != null)
      throw new ModelError(`tokenizer.json: expected null for ${name}, got ${shown(json[name])}`);

  const normalize = compileNormalizer(json.normalizer);
  const preTokenize = compilePreTokenizer(json.pre_tokenizer);
  const { before, after } = compilePostProcessor(json.post_processor);
  const decoder = compileDecoder(json.decoder);
  const bpe = new Bpe(json.model);
  const added = new AddedTokens(json.added_tokens, bpe.vocabulary, normalize);

  const tokenId = (content: string) => added.ids.get(content) ?? bpe.vocabulary.get(content) ?? null;
  const tokens: (string | undefined)[] = [];
  for (const [token, id] of bpe.vocabulary) tokens[id] = token;
  for (const [id, token] of added.texts) tokens[id] = token;
  if (tokens.length === 0) throw new ModelError("tokenizer.json: expected a vocabulary, got an empty one");
  const control = new Map(
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
  const dropped = new Set(control.values());

  return {
    size: tokens.length,
    eosId: control.get("eos_token") ?? null,
    tokenId,
    encode(text) {
      const ids = [...before];
      for (const section of added.split(text.replace(/\p{Surrogate}/gu, "\ufffd"), normalize)) {
        if ("id" in section) ids.push(section.id);
        else
          for (const word of preTokenize(section.text, section.atStart))
            for (const id of bpe.encode(word)) ids.push(id);
      }
      for (const id of after) ids.push(id);
      return ids;
    },
    decode(ids) {
      const kept: string[] = [];
      for (const id of ids) {
        const token = tokens[id];
        if (token !== undefined && !dropped.has(id)) kept.push(token);
      }
      return decoder(kept);
    },
  };
}
