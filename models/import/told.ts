import { readFile } from "node:fs/promises";
import { decodeText } from "../files/decode-text.js";
import { isIntegerIn } from "../files/fields.js";
import type { Told } from "../folder.js";
import { tokenContent } from "../tokenizer/token-content.js";
import { createTokenizer } from "../tokenizer/tokenizer.js";
import type { ModelFolderSource } from "./checkpoint/model-folder-source.js";

const CONTROL = ["pad_token", "unk_token", "bos_token", "eos_token"] as const;

/**
 * What Hugging Face's files beside a checkpoint tell: the chat template, the control tokens, and the token that ends a
 * generation. Of several that end one, the first counts.
 */
export async function readTold(source: ModelFolderSource, tokenizerJson: unknown): Promise<Told> {
  const config = (await source.tokenizerConfig()) ?? {};
  const generation = (await source.generationConfig()) ?? {};
  const tokenizer = createTokenizer(tokenizerJson, {});
  const tokens: Record<string, string> = {};
  for (const name of CONTROL) {
    const content = tokenContent(config[name]);
    if (content !== null && tokenizer.tokenId(content) !== null) tokens[name] = content;
  }
  const { eos_token_id: eos } = generation;
  const [first] = Array.isArray(eos) ? eos : [eos];
  const { chat_template: inline } = config;
  const template = source.chatTemplate
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
