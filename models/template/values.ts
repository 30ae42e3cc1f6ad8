import { TemplateTooMuch } from "./too-much.js";

/** A value in a template, as the library has it. */
export interface Value {
  type: string;
  value: unknown;
  toString(): string;
}

export interface TextValue extends Value {
  value: string;
}

export const isText = (value: Value): value is TextValue => typeof value.value === "string";

export const isList = (value: Value): value is Value & { value: Value[] } => Array.isArray(value.value);

/** An object or a namespace. */
export const isMap = (value: Value): value is Value & { value: Map<string, Value> } =>
  value.value instanceof Map;

/** Entries of a list or object; 0 for any other value. */
export function entriesOf(value: Value): number {
  return isList(value) ? value.value.length : isMap(value) ? value.value.size : 0;
}

/** Characters of a text; 0 for any other value. */
export const lengthOf = (value: Value | undefined): number =>
  value !== undefined && isText(value) ? value.value.length : 0;

/** How large a value is as text. */
export interface Size {
  characters: number;
  /** Entries of all lists and objects in it. */
  entries: number;
  depth: number;
}

const DEEPEST = 200;
/** A number, a truth value or the source of a function. */
const PLAIN = 32;

/**
 * How large a value becomes as text. A list may hold another list twice, which holds a third one twice: the text
 * doubles with each, and the memory does not. So each list is measured once.
 * @throws TemplateTooMuch for one that is nested deeply, as one that holds itself is
 */
export function sizeOf(value: Value, known = new Map<Value, Size>(), depth = 0): Size {
  if (isText(value)) return { characters: value.value.length + 2, entries: 0, depth: 0 };
  if (!isList(value) && !isMap(value))
    return { characters: typeof value.value === "function" ? 5_000 : PLAIN, entries: 0, depth: 0 };
  const before = known.get(value);
  if (before) return before;
  if (depth > DEEPEST) throw new TemplateTooMuch("expected a value with less nesting");
  const size: Size = { characters: 2, entries: 0, depth: 0 };
  const add = (inner: Value | undefined, key: string) => {
    const part =
      inner === undefined ? { characters: 0, entries: 0, depth: 0 } : sizeOf(inner, known, depth + 1);
    size.characters += part.characters + key.length + 6;
    size.entries += part.entries + 1;
    size.depth = Math.max(size.depth, part.depth + 1);
  };
  if (isList(value)) for (const inner of value.value) add(inner, "");
  else for (const [key, inner] of value.value) add(inner, key);
  known.set(value, size);
  return size;
}

/** The cost of turning a value that is no text into one. */
export function printCost(value: Value): number {
  return isList(value) || isMap(value) ? sizeOf(value).characters : PLAIN;
}

/** For a method of a text the library makes a dozen functions, and would keep them as long as the text lives. */
export function forgetMethods(value: Value): void {
  const holder = value as { _builtins?: unknown };
  if (holder._builtins !== undefined) holder._builtins = undefined;
}
