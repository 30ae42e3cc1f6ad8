import { type Fields, isFields } from "../files/fields.js";
import { digit, letter, number, word } from "./unicode.js";
import { expect } from "./vocabulary.js";

const gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** Patterns that tests compare with the Rust library: of GPT-2, and of Llama 3, Qwen and GPT-4 with their relatives. */
export const knownPatterns: readonly string[] = [
  gpt2,
  ...["", "{1,2}", "{1,3}"].flatMap((times) => [
    `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}${times}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
    `'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}${times}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+`,
  ]),
];

/** The pre-tokenizers, reworded so that transformers.js splits as the Rust library does. */
export function preparePreTokenizers(json: unknown): Fields[] {
  return steps(json, "pre_tokenizer", "pretokenizers").flatMap((step): Fields[] => {
    switch (step.type) {
      case "Whitespace":
        return [{ ...split(`[${word}]+|[^\\s${word}]+`, "Removed"), invert: true }];
      case "WhitespaceSplit":
        return [split("\\s+", "Removed")];
      case "Digits":
        return [split(`[${digit}]${step.individual_digits === true ? "" : "+"}`, "Isolated")];
      case "Split": {
        const { behavior, pattern } = step;
        expect(isFields(pattern), "a pattern of Split", pattern);
        expect(behavior === "Isolated" || behavior === "Removed", "Isolated or Removed of Split", behavior);
        return [
          {
            ...split(exactPattern(pattern), behavior),
            invert: behavior === "Removed" && step.invert === true,
          },
        ];
      }
      case "ByteLevel":
        return [
          ...(step.add_prefix_space === false ? [] : [startWith(" ")]),
          ...(step.use_regex === false ? [] : [split(exactPattern({ Regex: gpt2 }), "Isolated")]),
          { type: "ByteLevel", add_prefix_space: false, use_regex: false },
        ];
      case "Metaspace": {
        const { mark, prepended } = parseMetaspace(step);
        return [
          replace(" ", mark),
          ...(prepended ? [startWith(mark)] : []),
          ...(step.split === false ? [] : [split(`${mark}[^${mark}]*`, "Isolated")]),
        ];
      }
      default:
        return unsupported("pre_tokenizer", step.type);
    }
  });
}

/** The character that stands for a space, and whether one is put before the text. */
export function parseMetaspace(step: Fields): { mark: string; prepended: boolean } {
  const { replacement, prepend_scheme: scheme = "always", add_prefix_space: prefix } = step;
  expect(replacement === "\u2581", "the replacement U+2581 of Metaspace", replacement);
  expect(scheme === "always" || scheme === "never", "always or never for prepend_scheme", scheme);
  // Older files have this field instead.
  expect(prefix !== false || scheme === "never", "the prepend_scheme never without add_prefix_space", scheme);
  return { mark: replacement, prepended: scheme === "always" };
}

/** Adds the ids that the post-processor puts around a text's. `ids` gives a token's id by its content. */
export function preparePostProcessors(
  json: unknown,
  ids: ReadonlyMap<string, number>,
): (textIds: number[]) => number[] {
  const templates = steps(json, "post_processor", "processors").flatMap((step) => {
    if (step.type === "ByteLevel") return [];
    if (step.type !== "TemplateProcessing") return unsupported("post_processor", step.type);
    const { single, special_tokens: specials } = step;
    const pieces = Array.isArray(single) ? single.filter((piece) => piece?.Sequence?.id !== "A") : [];
    const isToken = (piece: { SpecialToken?: { id?: unknown } } | null) => {
      const name = piece?.SpecialToken?.id;
      if (typeof name !== "string" || !isFields(specials)) return false;
      const special = specials[name];
      const adds = isFields(special) && Array.isArray(special.ids) ? special.ids : [];
      return adds.length === 1 && adds[0] === ids.get(name);
    };
    const whole = Array.isArray(single) && single.length === pieces.length + 1 && pieces.every(isToken);
    expect(whole, "a template of the sequence A and special tokens", single);
    return [single as { SpecialToken?: { id: string } }[]];
  });
  return (textIds) =>
    templates.reduce(
      (inner, template) =>
        template.flatMap(({ SpecialToken: token }) => (token ? ids.get(token.id)! : inner)),
      textIds,
    );
}

/** One component, or a `Sequence` of them. */
export function steps(json: unknown, name: string, list: string): Fields[] {
  if (json === null || json === undefined) return [];
  const found: unknown = isFields(json) && json.type === "Sequence" ? json[list] : [json];
  expect(Array.isArray(found) && found.every(isFields), `a supported ${name}`, json);
  return found;
}

export function unsupported(name: string, got: unknown): never {
  expect(false, `a supported ${name}`, got);
}

/** Spells out `\p{L}` and `\p{N}`, which depend on Node's version of Unicode. */
function exactPattern({ Regex, String: text }: Fields): string {
  if (typeof text === "string" && text !== "") return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  expect(typeof Regex === "string", "a pattern of String or Regex", Regex);
  if (!knownPatterns.includes(Regex)) return plainPattern(Regex);
  return (
    Regex.replaceAll("\\p{L}\\p{N}]", `${letter}${number}]`)
      .replaceAll("\\p{L}", `[${letter}]`)
      .replaceAll("\\p{N}", `[${number}]`)
      // transformers.js folds the case of ASCII letters only; for the Rust library the long s is an s too.
      .replace("(?i:'s|", "(?i:'[sſ]|")
      .replace("(?i:[sdmt]|", "(?i:[sſdmt]|")
  );
}

/**
 * A regular expression that has only parts which Rust's Oniguruma and JavaScript read alike. A group that can match in
 * several ways must not be repeated without bound: a malicious prompt could make that take forever.
 * @throws ModelError for any other
 */
export function plainPattern(regex: string): string {
  const wanted =
    "a Regex of literals, classes, \\p{L}, \\p{N}, groups, alternatives, look-around and quantifiers";
  let plain = "";
  let inClass = false;
  let before = "";
  /** For each open group, and for the one that closed last, whether it can match the same text in several ways. */
  const ambiguous = [false];
  let closed = false;
  for (const [part] of regex.matchAll(/\\p\{[LN]\}|\\[\s\S]?|\(\?<?.?|\[\^?\]?|[\s\S]/gu)) {
    if (part === "\\p{L}" || part === "\\p{N}") {
      const range = part === "\\p{L}" ? letter : number;
      plain += inClass ? range : `[${range}]`;
    } else {
      const alike = part.startsWith("\\")
        ? /^\\([trnf]|[^\p{L}\p{N}\s])$/u.test(part)
        : inClass
          ? !part.startsWith("[") && part !== "&"
          : part.startsWith("(?")
            ? ["(?:", "(?=", "(?!", "(?<=", "(?<!"].includes(part)
            : part.startsWith("[")
              ? !part.endsWith("]")
              : !/^[.^$]$/.test(part) && !(part === "+" && /^[*+?}]$/.test(before));
      expect(alike, wanted, regex);
      const endless = !inClass && (part === "*" || part === "+" || (part === "}" && before === ","));
      expect(!(endless && before.endsWith(")") && closed), wanted, regex);
      const top = ambiguous.length - 1;
      if (!inClass && part.startsWith("(")) ambiguous.push(false);
      else if (!inClass && part === ")" && top > 0) {
        closed = ambiguous.pop()!;
        ambiguous[top - 1] ||= closed;
      } else if (endless || (!inClass && part === "|")) ambiguous[top] = true;
      if (part.startsWith("[")) inClass = true;
      else if (part === "]") inClass = false;
      plain += part;
    }
    before = part;
  }
  try {
    new RegExp(plain, "u");
  } catch {
    expect(false, wanted, regex);
  }
  return plain;
}

const split = (Regex: string, behavior: string): Fields => ({
  type: "Split",
  pattern: { Regex },
  behavior,
  invert: false,
});

const replace = (Regex: string, content: string): Fields => ({
  type: "Replace",
  pattern: { Regex },
  content,
});

/** Puts a space, or the character that stands for one, before text that doesn't start with it. */
const startWith = (space: string): Fields =>
  replace(`${space}([\\s\\S]*)|([^${space}][\\s\\S]*)`, `${space}$1$2`);
