import { templateOf } from "../chat-template.js";
import { decodeText } from "../files/decode-text.js";
import { type Fields, isIntegerIn } from "../files/fields.js";
import type { Told } from "../folder.js";
import { tokenContent } from "../tokenizer/token-content.js";
import { createTokenizer } from "../tokenizer/tokenizer.js";
import { readSmallFile } from "./checkpoint/json-file.js";
import type { ToldSource } from "./checkpoint/model-folder-source.js";
import type { ConvertedTokenizer } from "./tokenizer/index.js";

const CONTROL = ["pad_token", "unk_token", "bos_token", "eos_token"] as const;
/** Most end tokens. No model has more. */
const MOST_ENDS = 64;
/** A template may have 131,072 characters, of up to four bytes. */
export const MOST_TEMPLATE_BYTES = 1 << 19;

/** What lies beside the tokenizer, or in its file. */
export interface FoundWords extends Told {
  tokens: Readonly<Record<string, string>>;
  /** Undefined where there is none. */
  chatTemplate: string | undefined;
  /** `add_bos_token` and the class's name of a tokenizer_config.json. */
  addsBos: boolean | null;
  tokenizerClass: string | null;
}

/**
 * Reads the chat template, the control tokens and the tokens that end a generation, from a tokenizer's file and from Hugging
 * Face's files beside it. End tokens are those of `generation_config.json`, else of `config.json`, and the tokenizer's own.
 * @param source what lies beside the tokenizer; null where that tells nothing of it
 * @throws ImportError
 */
export async function readTold(
  source: ToldSource | null,
  { tokenizerJson, bos, eos }: Pick<ConvertedTokenizer, "tokenizerJson" | "bos" | "eos">,
): Promise<FoundWords> {
  const config: Fields = (await source?.tokenizerConfig()) ?? {};
  const tokenizer = createTokenizer(tokenizerJson, {});
  const tokens: Record<string, string> = {};
  const own: Readonly<Record<string, unknown>> = { bos_token: bos, eos_token: eos[0] };
  for (const name of CONTROL) {
    const content = tokenContent(config[name]) ?? tokenContent(own[name]);
    if (content !== null && tokenizer.tokenId(content) !== null) tokens[name] = content;
  }
  const generation = (await source?.generationConfig()) ?? {};
  const ends = generation.eos_token_id ?? (await source?.config())?.values.get("eos_token_id");
  const named = [...eos, ...(tokens.eos_token === undefined ? [] : [tokens.eos_token])];
  const eosIds = [...[ends ?? []].flat(), ...named.map((token) => tokenizer.tokenId(token))]
    .filter((id): id is number => isIntegerIn(id, 0, tokenizer.size - 1))
    .slice(0, MOST_ENDS);
  const { add_bos_token: addsBos, tokenizer_class: tokenizerClass } = config;
  return {
    tokens,
    chatTemplate: source?.chatTemplate
      ? decodeText(await readSmallFile(source.chatTemplate, MOST_TEMPLATE_BYTES))
      : (templateOf(config.chat_template) ?? undefined),
    addsBos: typeof addsBos === "boolean" ? addsBos : null,
    tokenizerClass: typeof tokenizerClass === "string" ? tokenizerClass : null,
    ...(eosIds.length > 0 && { eosIds: [...new Set(eosIds)] }),
  };
}
