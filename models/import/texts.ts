import { jaiChatTemplate } from "../chat-template.js";
import { ModelError } from "../files/error.js";
import type { Fields } from "../files/fields.js";
import { controlTokens, type Told } from "../folder.js";
import { createTokenizer } from "../tokenizer/tokenizer.js";
import { ImportError } from "./checkpoint/error.js";
import type { ToldSource } from "./checkpoint/model-folder-source.js";
import type { PromptStart } from "./families/family.js";
import { beginsWithToken, withStart } from "./prompt-start.js";
import { fitTemplate, readAskedTemplate, type TemplateFit } from "./template-words.js";
import type { ConvertedTokenizer } from "./tokenizer/index.js";
import { type FoundWords, readTold } from "./told.js";

/** How the model reads and writes texts. */
export interface ModelTexts {
  told: Told;
  tokenizerJson: Fields;
  /** The contents of tokenizer.json. */
  text: string;
  chatTemplate: "given" | "found" | "default" | "none";
  plainMarkers: string[];
}

/** What the checkpoint's codebase, and the user, say of texts. */
export interface TextsQuestion {
  promptStart: PromptStart;
  isJai: boolean;
  /** A file with a chat template, or the name of one. */
  asked?: string | undefined;
}

/**
 * Makes the tokenizer begin texts as the model's own code does, and finds its chat template.
 * @param source what lies beside the tokenizer; null where that tells nothing of it
 * @throws ImportError or ModelError
 */
export async function readTexts(
  source: ToldSource | null,
  converted: ConvertedTokenizer,
  { promptStart, isJai, asked }: TextsQuestion,
): Promise<ModelTexts> {
  const words = await readTold(source, converted);
  const names = { ...controlTokens(createTokenizer(converted.tokenizerJson, {})), ...words.tokens };
  const begins = beginsWithToken(converted, words, promptStart);
  const { bos_token: start } = names;
  const started =
    begins === null || start === undefined
      ? converted.tokenizerJson
      : withStart(converted.tokenizerJson, start, begins);
  const { chatTemplate, template, fit } = await findTemplate(words, { isJai, asked }, names, started);
  const tokenizerJson = fit?.tokenizerJson ?? started;
  return {
    told: { tokens: words.tokens, chatTemplate: template, ...(words.eosIds && { eosIds: words.eosIds }) },
    tokenizerJson,
    text: tokenizerJson === converted.tokenizerJson ? converted.text : JSON.stringify(tokenizerJson),
    chatTemplate,
    plainMarkers: fit?.plainMarkers ?? [],
  };
}

async function findTemplate(
  words: FoundWords,
  { isJai, asked }: Pick<TextsQuestion, "isJai" | "asked">,
  names: Readonly<Record<string, string>>,
  tokenizerJson: Fields,
): Promise<Pick<ModelTexts, "chatTemplate"> & { template: string | null; fit?: TemplateFit }> {
  const given = asked === undefined ? null : await readAskedTemplate(asked);
  const own = isJai ? { template: jaiChatTemplate, isBuiltIn: true } : null;
  const found = words.chatTemplate === undefined ? null : { template: words.chatTemplate, isBuiltIn: false };
  const taken = given ?? found ?? own;
  if (taken === null) return { chatTemplate: "none", template: null };
  const { template, isBuiltIn } = taken;
  const chatTemplate = given ? "given" : found ? "found" : "default";
  const fit = explaining(isBuiltIn ? undefined : asked, given !== null, () =>
    fitTemplate(template, names, tokenizerJson),
  );
  // A model's own template writes the first token itself. A built-in template doesn't know the tokenizer's.
  const tokenizer = createTokenizer(tokenizerJson, {});
  const begins =
    names.bos_token !== undefined && tokenizer.encode("")[0] === tokenizer.tokenId(names.bos_token);
  if (!isBuiltIn || !begins || fit.writesStart) return { chatTemplate, template, fit };
  const whole = `{{ bos_token }}${template}`;
  return { chatTemplate, template: whole, fit: fitTemplate(whole, names, tokenizerJson) };
}

/** Names the file of a template that was asked for, and says what to do about one that was found. */
function explaining<T>(file: string | undefined, isAsked: boolean, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    if (isAsked && file !== undefined)
      throw new ImportError(file, error.message.replace(/^chat_template: /, ""));
    throw isAsked ? error : new ModelError(`${error.message}; choose another one with --chat-template`);
  }
}
