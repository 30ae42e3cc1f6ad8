import { nearest } from "../../nearest.js";

type Value = number | readonly string[];

interface Option {
  expected: string;
  /** Null for a text that is not a value. */
  parse: (text: string) => Value | null;
  what: string;
}

const decimal = (text: string) =>
  /^-?(\d+(\.\d+)?|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;

function number(from: number, to: number, what: string): Option {
  const expected =
    to === Number.POSITIVE_INFINITY ? `a number from ${from}` : `a number from ${from} to ${to}`;
  const parse = (text: string) => {
    const value = decimal(text);
    // Greater numbers than JSON can carry become infinite.
    return value >= from && value <= to && Number.isFinite(value) ? value : null;
  };
  return { expected, parse, what };
}

function integer(from: number, to: number, what: string): Option {
  const { parse } = number(from, to, what);
  const expected =
    to >= Number.MAX_SAFE_INTEGER ? `an integer from ${from}` : `an integer from ${from} to ${to}`;
  return { expected, parse: (text) => (/^-?\d{1,16}$/.test(text) ? parse(text) : null), what };
}

const stop: Option = {
  expected: 'a text, or a JSON list of texts such as ["END", "\\n"]',
  parse(text) {
    if (!/^["[]/.test(text)) return [text];
    try {
      const value: unknown = JSON.parse(text);
      const texts: unknown[] = Array.isArray(value) ? value : [value];
      return texts.every((one): one is string => typeof one === "string" && one !== "") ? texts : null;
    } catch {
      return null;
    }
  },
  what: "texts that end the answer",
};

const MOST = Number.MAX_SAFE_INTEGER;

/** What `/set` knows, under the names of the API. The server may have stricter limits, and says so. */
const options: Readonly<Record<string, Option>> = {
  temperature: number(
    0,
    Number.POSITIVE_INFINITY,
    "how freely to choose; 0 always takes the likeliest token",
  ),
  max_tokens: integer(1, 999_999_999, "how long an answer may get; default: to the end of the context"),
  top_k: integer(0, 2 ** 31 - 1, "choose among this many of the likeliest tokens; 0: all"),
  top_p: number(0, 1, "choose among the likeliest tokens of this total probability; 1: all"),
  min_p: number(
    0,
    1,
    "choose among tokens of at least this share of the likeliest one's probability; 0: all",
  ),
  typical_p: number(0, 1, "choose among tokens of typical information, of this total probability; 1: all"),
  repetition_penalty: number(0, 100, "above 1, tokens that were there become less likely"),
  presence_penalty: number(-2, 2, "subtracted from the logits of tokens that the answer has"),
  frequency_penalty: number(-2, 2, "subtracted from them once for each time"),
  seed: integer(-MOST, MOST, "the same seed gives the same answer to the same conversation"),
  stop,
  min_tokens: integer(0, 4096, "no end before this many tokens"),
  priority: integer(-10, 10, "higher values start sooner, as far as the API key may"),
};

/** Fields of the API beside the messages. */
export type Fields = Readonly<Record<string, Value>>;

/** The fields with one set or, with `default`, unset. @throws an error with a one-line message */
export function withOption(fields: Fields, name: string, text: string): Fields {
  const option = Object.hasOwn(options, name) ? options[name] : undefined;
  if (option === undefined) {
    const meant = nearest(name, Object.keys(options), 3);
    throw new Error(
      `/set: no option ${JSON.stringify(name)}${meant === null ? "; /set alone lists them" : `; did you mean ${meant}?`}`,
    );
  }
  if (text === "default") {
    const { [name]: _dropped, ...rest } = fields;
    return rest;
  }
  const value = text === "" ? null : option.parse(text);
  if (value === null)
    throw new Error(
      `/set ${name}: expected ${option.expected}, or default, got ${text === "" ? "nothing" : JSON.stringify(text)}`,
    );
  return { ...fields, [name]: value };
}

/** The options' names, for completion. */
export const optionNames = Object.keys(options);

/** Rows of name, value and meaning. */
export function optionRows(fields: Fields): string[][] {
  return Object.entries(options).map(([name, { what }]) => [
    name,
    fields[name] === undefined ? "default" : JSON.stringify(fields[name]),
    what,
  ]);
}

/** The known fields of a saved conversation. @throws an error with a one-line message for a wrong value */
export function readFields(saved: Readonly<Record<string, unknown>>): Fields {
  return Object.entries(saved).reduce<Fields>((fields, [name, value]) => {
    if (!Object.hasOwn(options, name) || value === null) return fields;
    return withOption(fields, name, typeof value === "string" ? value : JSON.stringify(value));
  }, {});
}
