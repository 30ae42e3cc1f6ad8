import { Tokenizer } from "@huggingface/tokenizers";
import { ModelError } from "../errors.js";
import { isFields, shown } from "../fields.js";
import { classSource } from "./unicode.js";

/**
 * Compiles the `pattern` of a tokenizer.json component: `{String}` is taken literally, `{Regex}` is Oniguruma's syntax.
 * @throws ModelError if it is neither, or uses what JavaScript's engine has no equal for
 */
export function compilePattern(pattern: unknown): RegExp {
  if (isFields(pattern) && typeof pattern.String === "string")
    return new RegExp(pattern.String.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "gu");
  if (!isFields(pattern) || typeof pattern.Regex !== "string")
    throw new ModelError(`tokenizer.json: expected a pattern of String or Regex, got ${shown(pattern)}`);
  try {
    const { pre_tokenizer } = new Tokenizer(
      {
        ...bare,
        pre_tokenizer: { type: "Split", pattern: { Regex: pattern.Regex }, behavior: "Isolated" },
      },
      {},
    ) as unknown as { pre_tokenizer: { pattern: RegExp } };
    return new RegExp(pinClasses(pre_tokenizer.pattern.source), "gu");
  } catch {
    throw new ModelError(
      `tokenizer.json: expected a supported regular expression, got ${shown(pattern.Regex)}`,
    );
  }
}

/** The least that transformers.js' tokenizer is made from; only its translation of Oniguruma's syntax is wanted here. */
const bare = {
  added_tokens: [],
  normalizer: null,
  post_processor: null,
  decoder: null,
  model: { type: "BPE", vocab: {}, merges: [] },
};

const pinned = { L: "letter", N: "number" } as const;

/** Replaces `\p{L}` and `\p{N}`, whose extent depends on Node's version of Unicode. */
function pinClasses(source: string): string {
  let inClass = false;
  return source.replace(/\\([pP])\{([LN])\}|\\[\s\S]|[[\]]/g, (part, kind?: string, name?: "L" | "N") => {
    if (part === "[") inClass = true;
    if (part === "]") inClass = false;
    if (kind === undefined || name === undefined) return part;
    const inside = classSource(pinned[name], kind === "P");
    return inClass ? inside : `[${inside}]`;
  });
}
