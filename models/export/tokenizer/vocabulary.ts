import { ModelError } from "../../files/error.js";
import { type Fields, isFields } from "../../files/fields.js";
import type { GgufMetadata } from "../gguf.js";

/** llama.cpp's `llama_token_type`. */
const TYPES = { normal: 1, unknown: 2, control: 3, user: 4, unused: 5, byte: 6 } as const;
export type TokenType = keyof typeof TYPES;

export interface Token {
  text: string;
  type: TokenType;
  /** A BPE joins the parts of the token with the greatest score first. Only SentencePiece's tokenizers have scores. */
  score?: number;
}

/** A tokenizer as llama.cpp takes it. */
export interface GgufTokenizer {
  /** Tokens in the order of their ids. */
  tokens: Token[];
  /** Metadata that only this kind has. */
  metadata: GgufMetadata;
  /** Differences from the original, for the user. */
  notes: string[];
}

/** A tokenizer.json in parts; `createTokenizer` has checked it. */
export interface TokenizerFile {
  model: Fields;
  ids: ReadonlyMap<string, number>;
  /** Tokens that are found in texts before anything else. */
  added: readonly { id: number; content: string; special: boolean }[];
  normalizers: Fields[];
  preTokenizers: Fields[];
  decoders: Fields[];
}

export function openTokenizerFile(json: Fields): TokenizerFile {
  const { model, added_tokens } = json as { model: Fields; added_tokens?: TokenizerFile["added"] };
  const ids: [string, number][] = Array.isArray(model.vocab)
    ? (model.vocab as [string, number][]).map(([token], id) => [token, id])
    : Object.entries(model.vocab as Record<string, number>);
  return {
    model,
    ids: new Map(ids),
    added: added_tokens ?? [],
    normalizers: stepsOf(json.normalizer, "normalizers"),
    preTokenizers: stepsOf(json.pre_tokenizer, "pretokenizers"),
    decoders: stepsOf(json.decoder, "decoders"),
  };
}

function stepsOf(json: unknown, list: string): Fields[] {
  if (!isFields(json)) return [];
  return json.type === "Sequence" ? (json[list] as Fields[]).flatMap((step) => stepsOf(step, list)) : [json];
}

/** Pairs that are joined, the first ones first. Older files hold each pair as one text. */
export function mergesOf({ model }: TokenizerFile): [string, string][] {
  return ((model.merges ?? []) as (string | [string, string])[]).map((merge) =>
    typeof merge === "string" ? (merge.split(" ") as [string, string]) : merge,
  );
}

/** A field of import's own, such as tokens that no text becomes. */
export function listOf({ model }: TokenizerFile, name: "symbols" | "unreachable"): string[] {
  return isFields(model.jai) && Array.isArray(model.jai[name]) ? (model.jai[name] as string[]) : [];
}

/** All tokens, by id. Ids without a token get a filler. `describe` describes a token of the model's own. */
export function tokensOf(
  { ids, added }: TokenizerFile,
  size: number,
  describe: (text: string, id: number) => Token,
): Token[] {
  const tokens = Array.from({ length: size }, (_, id): Token => ({ text: `[PAD${id}]`, type: "unused" }));
  for (const [text, id] of ids) tokens[id] = describe(text, id);
  for (const { id, content, special } of added)
    tokens[id] = { ...tokens[id], text: content, type: special ? "control" : "user" };
  return tokens;
}

/** The tokens' texts and types. */
export function tokenMetadata(tokens: readonly Token[]): GgufMetadata {
  return {
    "tokenizer.ggml.tokens": tokens.map(({ text }) => text),
    "tokenizer.ggml.token_type": Int32Array.from(tokens, ({ type }) => TYPES[type]),
  };
}

export const refuse = (got: string) =>
  new ModelError(`tokenizer.json: expected a tokenizer that llama.cpp has as well, got ${got}`);
