import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer as Components } from "@huggingface/tokenizers";
import { ModelError } from "./errors.js";

/** Text to ids and back, exactly as the Rust `tokenizers` library does it. */
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

/** @throws ModelError if tokenizer.json or tokenizer_config.json is missing, malformed or unsupported. */
export function loadTokenizer(dir: string): Tokenizer {
  const read = (name: string): unknown => JSON.parse(readFileSync(join(dir, name), "utf8"));
  return createTokenizer(read("tokenizer.json"), read("tokenizer_config.json"));
}

/** The same from the parsed contents of the two files. */
export function createTokenizer(json: unknown, config: unknown): Tokenizer {
  const names = config as Record<string, string | null | undefined>;
  const parts = new Components(json as object, names);
  const vocabulary = parts.get_vocab();
  const id = (key: string) => (names[key] == null ? undefined : parts.token_to_id(names[key]));
  const control = new Set(["pad_token", "unk_token", "bos_token", "eos_token"].map(id));
  if (vocabulary.size === 0) throw new ModelError("tokenizer.json: expected a vocabulary, got none");
  return {
    size: Math.max(...vocabulary.values()) + 1,
    eosId: id("eos_token") ?? null,
    tokenId: (content) => parts.token_to_id(content) ?? null,
    encode: (text) => parts.encode(text).ids,
    decode: (ids) => {
      const kept = ids.filter((one) => !control.has(one));
      return kept.length === 0 ? "" : parts.decode(kept, { clean_up_tokenization_spaces: false });
    },
  };
}
