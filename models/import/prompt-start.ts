import { type Fields, isFields } from "../files/fields.js";
import { createTokenizer } from "../tokenizer/tokenizer.js";
import type { PromptStart } from "./families/family.js";
import type { ConvertedTokenizer } from "./tokenizer/index.js";
import type { FoundWords } from "./told.js";

/** Hugging Face's classes whose default is to begin each text with a token. */
const BEGINNING = /^(?:(?:Code)?Llama|Gemma)Tokenizer(?:Fast)?$/;

/**
 * Whether the model's texts begin with a token of their own, as the code does that made it. Null: as its tokenizer.json says.
 */
export function beginsWithToken(
  { kind }: Pick<ConvertedTokenizer, "kind">,
  { addsBos, tokenizerClass }: Pick<FoundWords, "addsBos" | "tokenizerClass">,
  start: PromptStart,
): boolean | null {
  if (addsBos !== null) return addsBos;
  if (start === "always") return true;
  if (tokenizerClass !== null && BEGINNING.test(tokenizerClass)) return true;
  return kind === "sentencepiece" && start === "sentencepiece" && tokenizerClass === null ? true : null;
}

/** The tokenizer.json whose texts begin with `token`, or don't. The same object where it is so already. */
export function withStart(tokenizerJson: Fields, token: string, begins: boolean): Fields {
  const tokenizer = createTokenizer(tokenizerJson, {});
  const id = tokenizer.tokenId(token);
  if (id === null || (tokenizer.encode("")[0] === id) === begins) return tokenizerJson;
  const { post_processor: before } = tokenizerJson;
  const steps = isFields(before) && before.type === "Sequence" ? before.processors : before;
  const processors = ([steps ?? []].flat() as Fields[]).map((step) => (begins ? step : without(step, token)));
  const all = begins ? [...processors, template(token, id)] : processors;
  return {
    ...tokenizerJson,
    post_processor: all.length === 1 ? all[0]! : { type: "Sequence", processors: all },
  };
}

function template(token: string, id: number): Fields {
  const special = (type_id: number) => ({ SpecialToken: { id: token, type_id } });
  const sequence = (name: string, type_id: number) => ({ Sequence: { id: name, type_id } });
  const single = [special(0), sequence("A", 0)];
  return {
    type: "TemplateProcessing",
    single,
    pair: [...single, special(1), sequence("B", 1)],
    special_tokens: { [token]: { id: token, ids: [id], tokens: [token] } },
  };
}

function without(step: Fields, token: string): Fields {
  if (step.type !== "TemplateProcessing") return step;
  const rest = (pieces: unknown) =>
    Array.isArray(pieces) ? pieces.filter((piece) => piece?.SpecialToken?.id !== token) : pieces;
  return { ...step, single: rest(step.single), pair: rest(step.pair) };
}
