import { ModelError } from "../errors.js";
import { type Fields, isFields, shown } from "../fields.js";
import { compilePattern } from "./patterns.js";
import { classSource } from "./unicode.js";

export type Normalizer = (text: string) => string;

/** @throws ModelError if a component is unknown or malformed */
export function compileNormalizer(json: unknown): Normalizer {
  if (json === null || json === undefined) return (text) => text;
  if (!isFields(json))
    throw new ModelError(`tokenizer.json: expected a normalizer or null, got ${shown(json)}`);
  const { type } = json;
  switch (type) {
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD":
      return unicodeForm(type);
    case "Lowercase":
      // Character by character, so a final sigma is a sigma like any other.
      return (text) => text.replaceAll("Σ", "σ").toLowerCase();
    case "Strip":
      return strip(json);
    case "StripAccents": {
      const accents = new RegExp(`[${classSource("accent")}]`, "gu");
      return (text) => text.replace(accents, "");
    }
    case "Prepend": {
      const prefix = requireText(json, "prepend");
      return (text) => (text === "" ? "" : prefix + text);
    }
    case "Replace": {
      const pattern = compilePattern(json.pattern);
      const content = requireText(json, "content");
      return (text) => text.replace(pattern, () => content);
    }
    case "Sequence": {
      if (!Array.isArray(json.normalizers))
        throw new ModelError(
          `tokenizer.json: expected a list of normalizers, got ${shown(json.normalizers)}`,
        );
      const steps = json.normalizers.map(compileNormalizer);
      return (text) => steps.reduce((so, step) => step(so), text);
    }
    default:
      throw new ModelError(`tokenizer.json: expected a supported normalizer, got ${shown(type)}`);
  }
}

function unicodeForm(form: "NFC" | "NFD" | "NFKC" | "NFKD"): Normalizer {
  const known = new RegExp(`[${classSource("unnormalized", true)}]+`, "gu");
  return (text) => text.replace(known, (run) => run.normalize(form));
}

const space = /\p{White_Space}/u;

/** Not with `\s+$`, which takes quadratic time on white space that something follows. */
function strip(json: Fields): Normalizer {
  return (text) => {
    let start = 0;
    let end = text.length;
    if (json.strip_left === true) while (start < end && space.test(text[start]!)) start++;
    if (json.strip_right === true) while (end > start && space.test(text[end - 1]!)) end--;
    return text.slice(start, end);
  };
}

export function requireText(json: Fields, name: string): string {
  const value = json[name];
  if (typeof value === "string") return value;
  throw new ModelError(`tokenizer.json: expected text for ${name}, got ${shown(value)}`);
}
