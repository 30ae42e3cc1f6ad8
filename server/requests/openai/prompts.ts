import { toUSVString } from "node:util";
import type { Tokenizer } from "../../../models/tokenizer/tokenizer.js";
import { invalidField } from "../../errors/errors.js";
import type { Reader } from "../../texts/texts.js";
import { shown } from "./request.js";

/** A text or its token ids. */
export type Prompt = string | number[];

const FORMS = "a string, an array of strings, an array of token ids or an array of such arrays";
/** Cap on a request's prompts, since each of their texts takes a place in the queue. */
const MOST_PROMPTS = 128;

/** The prompts of a text completion. The schema ensures a non-empty list of strings, integers or lists of integers. */
export function readPrompts(prompt: string | (string | number | number[])[]): Prompt[] {
  if (typeof prompt === "string") return [prompt];
  const first = prompt[0]!;
  const different = prompt.findIndex((one) => typeof one !== typeof first);
  if (different >= 0)
    throw invalidField(
      ["prompt", different],
      `expected ${FORMS}, got ${shown(prompt[different])} beside ${shown(first)}`,
    );
  if (typeof first === "number") return [prompt as number[]];
  if (prompt.length > MOST_PROMPTS)
    throw invalidField(["prompt"], `expected at most ${MOST_PROMPTS} prompts, got ${prompt.length}`);
  return prompt as Prompt[];
}

/**
 * Token ids of each prompt.
 * @throws PublicError for tokens that the model doesn't have, and for a prompt without tokens
 */
export async function promptIds(
  prompts: readonly Prompt[],
  tokenizer: Tokenizer,
  reader: Reader,
): Promise<number[][]> {
  const texts = prompts.filter((prompt) => typeof prompt === "string").map(toUSVString);
  const encoded = (await reader.encode(texts)).values();
  return prompts.map((prompt) => {
    const ids = typeof prompt === "string" ? encoded.next().value! : prompt;
    if (ids.length === 0) throw invalidField(["prompt"], "expected a prompt that has tokens for this model");
    if (typeof prompt !== "string") checkIds(ids, "prompt", tokenizer);
    return ids;
  });
}

/** @throws PublicError for tokens that the model doesn't have */
export function checkIds(ids: readonly number[], field: string, { size }: Tokenizer): void {
  const wrong = ids.find((id) => id < 0 || id >= size);
  if (wrong !== undefined)
    throw invalidField([field], `expected token ids from 0 to ${size - 1}, got ${wrong}`);
}
