import { compileChatTemplate, type Message } from "../chat-template.js";
import { decodeText } from "../files/decode-text.js";
import { ModelError } from "../files/error.js";
import { type Fields, isFields } from "../files/fields.js";
import { builtInNames, builtInTemplate } from "../template/built-in.js";
import { createTokenizer } from "../tokenizer/tokenizer.js";
import { addedToken } from "../tokenizer/tokenizer-json.js";
import { ImportError } from "./checkpoint/error.js";
import { readSmallFile } from "./checkpoint/json-file.js";
import { MOST_TEMPLATE_BYTES } from "./told.js";

/**
 * The template that was asked for: a file's, or one with a name.
 * @throws ImportError for what is neither
 */
export async function readAskedTemplate(asked: string): Promise<{ template: string; isBuiltIn: boolean }> {
  const named = builtInTemplate(asked);
  if (named !== null) return { template: named, isBuiltIn: true };
  try {
    return { template: decodeText(await readSmallFile(asked, MOST_TEMPLATE_BYTES)), isBuiltIn: false };
  } catch (error) {
    if (!(error instanceof ImportError) || !error.message.endsWith("no such file")) throw error;
    throw new ImportError(
      asked,
      `expected a file with a Jinja template, or one of the names ${builtInNames.join(", ")}, got no such file`,
    );
  }
}

/** A word that no template writes by itself. */
const QUESTION = "jaiQuestionMarker";

const conversations: readonly (readonly Message[])[] = [
  [
    { role: "system", content: "x" },
    { role: "user", content: "x" },
    { role: "assistant", content: "x" },
    { role: "user", content: "x" },
  ],
  [
    { role: "user", content: "x" },
    { role: "assistant", content: "x" },
  ],
  [{ role: "user", content: "x" }],
];

/** The text that a template writes around messages. @throws ModelError if it can't render one question, or leaves it out */
function framesOf(template: string, tokenizerConfig: Fields): string[] {
  const { render } = compileChatTemplate(template, tokenizerConfig);
  const asked = render([{ role: "user", content: QUESTION }], { addGenerationPrompt: true, isTrial: true });
  if (!asked.toLowerCase().includes(QUESTION.toLowerCase()))
    throw new ModelError(
      "chat_template: expected a template that writes the question, got one that leaves it out",
    );
  return conversations.flatMap((messages) => {
    try {
      const addGenerationPrompt = messages.at(-1)!.role === "user";
      return [render(messages, { addGenerationPrompt, isTrial: true })];
    } catch {
      // A template may take no system messages, or questions alone.
      return [];
    }
  });
}

/** How templates write tokens: `<|im_start|>`, `</s>`, `[INST]`, `<<SYS>>`. */
const MARKER = /<\|[^<>|\s]{1,60}\|>|<{1,2}\/?[A-Za-z_]{1,30}>{1,2}|\[\/?[A-Z_]{2,30}\]/g;
/** Most markers that are listed. */
const MOST_MARKERS = 16;

export interface TemplateFit {
  /** The tokenizer.json, changed so that the control tokens that the template writes are found in texts. */
  tokenizerJson: Fields;
  /** Texts in the template that look like tokens and are none. The model reads them as plain text. */
  plainMarkers: string[];
  /** Whether the text begins with the first token. */
  writesStart: boolean;
}

/**
 * Checks how the tokenizer reads what a template writes. A control token such as `</s>` that the template writes is found in
 * texts from then on, even if the tokenizer's own format never finds it there.
 */
export function fitTemplate(template: string, tokenizerConfig: Fields, tokenizerJson: Fields): TemplateFit {
  const frames = framesOf(template, tokenizerConfig);
  const tokenizer = createTokenizer(tokenizerJson, {});
  const markers = [...new Set(frames.flatMap((text) => text.match(MARKER) ?? []))];
  const isFound = (marker: string) =>
    tokenizer.encode(marker, false).join() === `${tokenizer.tokenId(marker)}`;
  const control = [tokenizerConfig.bos_token, tokenizerConfig.eos_token].filter(
    (token): token is string =>
      typeof token === "string" && frames.some((text) => text.includes(token)) && !isFound(token),
  );
  const added = Array.isArray(tokenizerJson.added_tokens) ? tokenizerJson.added_tokens : [];
  const isNew = (token: string) => !added.some((one) => isFields(one) && one.content === token);
  const found = [...new Set(control)]
    .filter((token) => isNew(token) && tokenizer.tokenId(token) !== null)
    .map((token) => addedToken(token, tokenizer.tokenId(token)!));
  const { bos_token: start } = tokenizerConfig;
  return {
    tokenizerJson:
      found.length === 0 ? tokenizerJson : { ...tokenizerJson, added_tokens: [...added, ...found] },
    plainMarkers: markers.filter((marker) => tokenizer.tokenId(marker) === null).slice(0, MOST_MARKERS),
    writesStart: typeof start === "string" && frames.every((text) => text.startsWith(start)),
  };
}
