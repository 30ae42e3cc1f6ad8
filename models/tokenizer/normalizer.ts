import { type Fields, isFields } from "../files/fields.js";
import { Charsmap, keptTexts } from "./charsmap.js";
import { plainPattern, steps, unsupported } from "./components.js";
import { forms, normalize } from "./unicode.js";
import { expect } from "./vocabulary.js";

type Step = (text: string) => string;

/** A text can grow by so much with each replacement. */
const MAX_CONTENT_CHARS = 64;
/** Rust's `char::is_whitespace`; JavaScript's `\s` has U+FEFF too, and lacks U+0085. */
const space = "[\\t-\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const leftSpace = new RegExp(`^${space}+`);
const oneSpace = new RegExp(space);

/** Normalizes text before it is split. @throws ModelError for a normalizer that is unknown */
export function prepareNormalizer(json: unknown): Step {
  const chain = steps(json, "normalizer", "normalizers").map(prepareStep);
  return (text) => chain.reduce((done, step) => step(done), text);
}

function prepareStep(step: Fields): Step {
  const form = forms.find((one) => one === step.type);
  if (form) return (text) => normalize(text, form);
  switch (step.type) {
    case "Prepend": {
      const prefix = content(step.prepend, "prepend");
      return (text) => (text === "" ? "" : prefix + text);
    }
    case "Strip": {
      const { strip_left: left, strip_right: right } = step;
      for (const side of [left, right])
        expect(typeof side === "boolean", "true or false for a side of Strip", side);
      return (text) => {
        const rest = left ? text.replace(leftSpace, "") : text;
        return right ? stripRight(rest, (character) => oneSpace.test(character)) : rest;
      };
    }
    case "Replace":
      return prepareReplace(step);
    case "Precompiled":
      return preparePrecompiled(step);
    default:
      return unsupported("normalizer", step.type);
  }
}

function prepareReplace(step: Fields): Step {
  const { pattern } = step;
  const by = content(step.content, "content of Replace");
  expect(isFields(pattern), "a pattern of Replace", pattern);
  const { String: literal, Regex } = pattern;
  if (typeof literal === "string" && literal !== "") return (text) => text.replaceAll(literal, () => by);
  expect(typeof Regex === "string", "a pattern of String or Regex", pattern);
  const atEnd = /^(\[(?:[^\\[\]&^-])+\]|[^\\[\](){}.*+?^$|])\+\\z$/u.exec(Regex)?.[1];
  if (atEnd !== undefined) {
    // A regular expression would try every run of the characters, from each of its places.
    const one = new RegExp(`^${atEnd}$`, "u");
    return (text) => {
      const rest = stripRight(text, (character) => one.test(character));
      return rest === text ? text : rest + by;
    };
  }
  const anchored = Regex.startsWith("\\A");
  const plain = plainPattern(anchored ? Regex.slice(2) : Regex);
  const expression = new RegExp(anchored ? `^(?:${plain})` : plain, "gu");
  expect(!expression.test(""), "a Regex of Replace that matches no empty text", Regex);
  return (text) => text.replace(expression, () => by);
}

function stripRight(text: string, isStripped: (character: string) => boolean): string {
  let end = text.length;
  while (end > 0 && isStripped(text[end - 1]!)) end--;
  return text.slice(0, end);
}

function preparePrecompiled(step: Fields): Step {
  const { precompiled_charsmap: base64, match = "grapheme", kept = [] } = step;
  // Files of models without any replacement have null or nothing here.
  if (base64 === null || base64 === "") return (text) => text;
  expect(typeof base64 === "string", "a precompiled_charsmap in base64", base64);
  expect(match === "grapheme" || match === "longest", "grapheme or longest for match", match);
  const valid = Array.isArray(kept) && kept.every((one) => typeof one === "string" && one !== "");
  expect(valid, "a list of texts for kept", kept);
  const charsmap = new Charsmap(Buffer.from(base64, "base64"));
  const texts = keptTexts(kept as string[]);
  return match === "longest"
    ? (text) => charsmap.normalizeLongest(text, texts)
    : (text) => charsmap.normalizeGraphemes(text);
}

function content(value: unknown, name: string): string {
  const valid = typeof value === "string" && value.length <= MAX_CONTENT_CHARS;
  expect(valid, `up to ${MAX_CONTENT_CHARS} characters for ${name}`, value);
  return value;
}
