import { readFile } from "node:fs/promises";
import { decodeText } from "../files/decode-text.js";
import { isIntegerIn } from "../files/fields.js";
import type { Told } from "../folder.js";
import { tokenContent } from "../tokenizer/token-content.js";
import { createTokenizer } from "../tokenizer/tokenizer.js";
import type { ModelFolderSource } from "./checkpoint/model-folder-source.js";
import type { ConvertedTokenizer } from "./tokenizer/index.js";

const CONTROL = ["pad_token", "unk_token", "bos_token", "eos_token"] as const;

/**
 * What a tokenizer's file, and Hugging Face's files beside a checkpoint, tell: the chat template, the control tokens, and the
 * token that ends a generation. Of several that end one, the first counts.
 * @param source null where the tokenizer is not the one beside the checkpoint
 */
export async function readTold(
  source: ModelFolderSource | null,
  { tokenizerJson, bos, eos }: Pick<ConvertedTokenizer, "tokenizerJson" | "bos" | "eos">,
): Promise<Told> {
  const config = (await source?.tokenizerConfig()) ?? {};
  const generation = (await source?.generationConfig()) ?? {};
  const tokenizer = createTokenizer(tokenizerJson, {});
  const tokens: Record<string, string> = {};
  const own: Readonly<Record<string, unknown>> = { bos_token: bos, eos_token: eos[0] };
  for (const name of CONTROL) {
    const content = tokenContent(config[name]) ?? tokenContent(own[name]);
    if (content !== null && tokenizer.tokenId(content) !== null) tokens[name] = content;
  }
  const { eos_token_id: ends } = generation;
  const [first] = Array.isArray(ends) ? ends : [ends];
  const { chat_template: inline } = config;
  const template = source?.chatTemplate
    ? decodeText(await readFile(source.chatTemplate))
    : typeof inline === "string"
      ? inline
      : undefined;
  return {
    tokens,
    ...(template !== undefined && { chatTemplate: template }),
    ...(isIntegerIn(first, 0, tokenizer.size - 1) && { eosId: first }),
  };
}
