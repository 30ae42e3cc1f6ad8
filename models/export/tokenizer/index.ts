import { type Fields, isFields, isIntegerIn, readFields } from "../../files/fields.js";
import type { ModelFolder } from "../../folder.js";
import { tokenContent } from "../../tokenizer/token-content.js";
import type { GgufMetadata } from "../gguf.js";
import { byteLevelTokenizer, isByteLevel } from "./byte-level.js";
import { charactersTokenizer, isCharacters } from "./characters.js";
import { sentencePieceTokenizer } from "./sentencepiece.js";
import { unigramTokenizer } from "./unigram.js";
import {
  type GgufTokenizer,
  openTokenizerFile,
  refuse,
  type TokenizerFile,
  tokenMetadata,
} from "./vocabulary.js";

export interface TokenizerExport {
  metadata: GgufMetadata;
  /** Warnings for the user; may be empty. */
  notes: string[];
}

/**
 * A folder's tokenizer, its control tokens and its chat template, as llama.cpp reads them.
 * @param approximate whether words may be split a little differently
 * @throws ModelError for a tokenizer that llama.cpp doesn't have
 */
export function exportTokenizer(
  { dir, tokenizer, config }: Pick<ModelFolder, "dir" | "tokenizer" | "config">,
  approximate: boolean,
): TokenizerExport {
  const file = openTokenizerFile(readFields(dir, "tokenizer.json"));
  const settings = readFields(dir, "tokenizer_config.json");
  const exported = convert(file, config.vocab_size, approximate);
  const ends = endIds(readFields(dir, "generation_config.json"), config.vocab_size);
  const frame = frameOf(tokenizer.encode(""), ends);
  const idOf = (name: string) => {
    const content = tokenContent(settings[name]);
    return content === null ? null : tokenizer.tokenId(content);
  };
  // The format needs an end token, and the model has none. A token that no text becomes does the least harm.
  const end = ends[0] ?? exported.tokens.findLastIndex(({ type }) => type !== "normal" && type !== "byte");
  const chosen = end >= 0 ? end : config.vocab_size - 1;
  const template = templateOf(settings);
  const { notes } = exported;
  if (ends.length === 0)
    notes.push(
      `the model has no end token, and llama.cpp needs one: token ${chosen} is it now; run llama.cpp with --ignore-eos`,
    );
  if (ends.length > 2)
    notes.push(
      `llama.cpp is told of two of the model's ${ends.length} end tokens, ${ends[0]} and ${ends[1]}; of others it knows only some by their texts`,
    );
  const padding = idOf("pad_token");
  return {
    notes,
    metadata: {
      ...exported.metadata,
      ...tokenMetadata(exported.tokens),
      "tokenizer.ggml.bos_token_id": frame.bos ?? idOf("bos_token") ?? chosen,
      "tokenizer.ggml.eos_token_id": chosen,
      ...(ends[1] !== undefined && { "tokenizer.ggml.eot_token_id": ends[1] }),
      ...(padding !== null && { "tokenizer.ggml.padding_token_id": padding }),
      "tokenizer.ggml.add_bos_token": frame.bos !== null,
      "tokenizer.ggml.add_eos_token": frame.hasEnd,
      ...(template !== null && { "tokenizer.chat_template": template }),
    },
  };
}

function convert(file: TokenizerFile, size: number, approximate: boolean): GgufTokenizer {
  if (file.model.type === "Unigram") return unigramTokenizer(file, size, approximate);
  if (isByteLevel(file)) return byteLevelTokenizer(file, size, approximate);
  if (isCharacters(file)) return charactersTokenizer(file, size);
  return sentencePieceTokenizer(file, size, approximate);
}

/** The first and last token that the tokenizer adds to each text. @throws ModelError unless that is a first and an end token */
function frameOf(
  around: readonly number[],
  ends: readonly number[],
): { bos: number | null; hasEnd: boolean } {
  const hasEnd = around.length > 0 && ends.includes(around.at(-1)!) && around.length === 2;
  if (around.length > (hasEnd ? 2 : 1)) throw refuse(`${around.length} tokens around each text`);
  return { bos: around[0] ?? null, hasEnd };
}

function endIds({ eos_token_id: value }: Fields, size: number): number[] {
  return (Array.isArray(value) ? value : [value]).filter((id) => isIntegerIn(id, 0, size - 1));
}

function templateOf({ chat_template: template }: Fields): string | null {
  if (typeof template === "string") return template;
  if (!Array.isArray(template)) return null;
  const named = template.find((one) => isFields(one) && one.name === "default") as Fields | undefined;
  return typeof named?.template === "string" ? named.template : null;
}
