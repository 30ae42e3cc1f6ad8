import { ModelError } from "../errors.js";
import { type Fields, isFields, oneOf, shown } from "../fields.js";
import { showBytes } from "./byte-level.js";
import { requireText } from "./normalizers.js";
import { compilePattern } from "./patterns.js";
import { classSource } from "./unicode.js";

/** Splits text into the words that byte-pair encoding takes one by one. `atStart`: nothing comes before `text`. */
export type PreTokenizer = (text: string, atStart: boolean) => string[];

/** What becomes of a separator: words of its own, dropped, or part of a neighbour. */
const behaviours = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"] as const;
type Behaviour = (typeof behaviours)[number];

/** @throws ModelError if a component is unknown or malformed */
export function compilePreTokenizer(json: unknown): PreTokenizer {
  if (json === null || json === undefined) return (text) => [text];
  if (!isFields(json))
    throw new ModelError(`tokenizer.json: expected a pre_tokenizer or null, got ${shown(json)}`);
  switch (json.type) {
    case "Whitespace": {
      const word = classSource("word");
      return words(`[${word}]+|[^${word}\\p{White_Space}]+`);
    }
    case "WhitespaceSplit":
      return words("\\P{White_Space}+");
    case "ByteLevel":
      return byteLevel(json);
    case "Digits":
      return split(
        new RegExp(`[${classSource("digit")}]`, "gu"),
        json.individual_digits === true ? "Isolated" : "Contiguous",
      );
    case "Punctuation":
      return split(new RegExp(`[${classSource("punctuation")}]`, "gu"), behaviour(json, "Isolated"));
    case "CharDelimiterSplit":
      return split(compilePattern({ String: requireText(json, "delimiter") }), "Removed");
    case "Split":
      return split(compilePattern(json.pattern), behaviour(json), json.invert === true);
    case "Metaspace":
      return metaspace(json);
    case "Sequence":
      return sequence(json);
    default:
      throw new ModelError(`tokenizer.json: expected a supported pre_tokenizer, got ${shown(json.type)}`);
  }
}

function words(source: string): PreTokenizer {
  const pattern = new RegExp(source, "gu");
  return (text) => text.match(pattern) ?? [];
}

function byteLevel(json: Fields): PreTokenizer {
  const [letter, number, space] = [classSource("letter"), classSource("number"), "\\p{White_Space}"];
  const pattern = new RegExp(
    [
      "'s|'t|'re|'ve|'m|'ll|'d",
      ` ?[${letter}]+`,
      ` ?[${number}]+`,
      ` ?[^${space}${letter}${number}]+`,
      `${space}+(?!\\P{White_Space})`,
      `${space}+`,
    ].join("|"),
    "gu",
  );
  const addSpace = json.add_prefix_space !== false;
  const useRegex = json.use_regex !== false;
  return (text) => {
    const spaced = addSpace && !text.startsWith(" ") ? ` ${text}` : text;
    return (useRegex ? (spaced.match(pattern) ?? []) : [spaced]).map(showBytes);
  };
}

function metaspace(json: Fields): PreTokenizer {
  const mark = requireText(json, "replacement");
  const fallback = json.add_prefix_space === false ? "never" : "always";
  const scheme =
    oneOf("tokenizer.json", json, "prepend_scheme", ["always", "first", "never", undefined]) ?? fallback;
  const splits = split(compilePattern({ String: mark }), "MergedWithNext");
  return (text, atStart) => {
    let marked = text.replaceAll(" ", mark);
    if (!marked.startsWith(mark) && (scheme === "always" || (scheme === "first" && atStart)))
      marked = mark + marked;
    return json.split === false ? [marked] : splits(marked, atStart);
  };
}

function sequence(json: Fields): PreTokenizer {
  if (!Array.isArray(json.pretokenizers))
    throw new ModelError(
      `tokenizer.json: expected a list of pretokenizers, got ${shown(json.pretokenizers)}`,
    );
  if (json.pretokenizers.slice(1).some((one) => one?.prepend_scheme === "first"))
    throw new ModelError('tokenizer.json: expected prepend_scheme "first" only on the first pre_tokenizer');
  const steps = json.pretokenizers.map(compilePreTokenizer);
  return (text, atStart) =>
    steps.reduce((pieces, step) => pieces.flatMap((piece) => step(piece, atStart)), [text]);
}

function behaviour(json: Fields, fallback?: Behaviour): Behaviour {
  if (json.behavior === undefined && fallback !== undefined) return fallback;
  return oneOf("tokenizer.json", json, "behavior", behaviours);
}

function split(separator: RegExp, how: Behaviour, invert = false): PreTokenizer {
  return (text) => {
    const pieces: { text: string; separates: boolean }[] = [];
    const cut = (from: number, to: number, matched: boolean) => {
      if (from < to) pieces.push({ text: text.slice(from, to), separates: matched !== invert });
    };
    let end = 0;
    for (const match of text.matchAll(separator)) {
      cut(end, match.index, false);
      end = match.index + match[0].length;
      cut(match.index, end, true);
    }
    cut(end, text.length, false);
    return join(pieces, how);
  };
}

function join(pieces: { text: string; separates: boolean }[], how: Behaviour): string[] {
  if (how === "Removed") return pieces.filter((piece) => !piece.separates).map((piece) => piece.text);
  const joined: string[] = [];
  for (const [i, piece] of pieces.entries()) {
    const last = pieces[i - 1];
    const joins =
      last !== undefined &&
      ((how === "Contiguous" && piece.separates === last.separates) ||
        (how === "MergedWithPrevious" && piece.separates && !last.separates) ||
        (how === "MergedWithNext" && last.separates && !piece.separates));
    if (joins) joined[joined.length - 1] += piece.text;
    else joined.push(piece.text);
  }
  return joined;
}
