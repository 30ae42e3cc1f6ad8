/* What single operations of a template cost before they run, in characters that they read or write. */
import { entriesOf, isList, isMap, isText, lengthOf, printCost, sizeOf, type Value } from "./values.js";

/** Cost of an entry of a new list: about its memory in bytes. */
export const LIST_ENTRY = 32;

/** A filter or method with its arguments. */
export interface Called {
  name: string;
  args: readonly Value[];
  named: ReadonlyMap<string, Value>;
}

/** To look for one text in another can take a comparison of all of it at each place. */
const search = (within: number, text: number) => within + (within * text) / 8;

export function binaryCost(operator: string, left: Value, right: Value): number {
  const isContainer = (value: Value) => isList(value) || isMap(value);
  switch (operator) {
    case "in":
    case "not in":
      return isText(right)
        ? search(right.value.length, lengthOf(left))
        : entriesOf(right) * (1 + lengthOf(left) / 8);
    case "~":
    case "+":
      // Lists that are joined with a text become one.
      return isList(left) && isList(right) && operator === "+"
        ? entriesOf(left) + entriesOf(right)
        : [left, right].reduce((sum, value) => sum + (isContainer(value) ? printCost(value) : 0), 0);
    case "==":
    case "!=":
      // A list that is compared with anything else becomes a text.
      if (isContainer(left) === isContainer(right)) return Math.min(lengthOf(left), lengthOf(right));
      return printCost(isContainer(left) ? left : right);
    default:
      return 0;
  }
}

/** A part of a text or list. A text becomes a list of its characters for it. */
export function memberCost(object: Value): number {
  return isText(object) ? LIST_ENTRY * object.value.length : entriesOf(object);
}

/** Of pairs of a name and a value. A text in the place of a pair becomes a list of its characters. */
export function namespaceCost(args: readonly Value[]): number {
  const entries = args.flatMap((arg) => (isList(arg) ? arg.value : []));
  return entries.reduce((sum, entry) => sum + LIST_ENTRY * (1 + lengthOf(entry)), 0);
}

/** @param object whose method it is */
export function methodCost(name: string, object: Value, args: readonly Value[]): number {
  return filterCost(object, { name, args, named: new Map() });
}

export function filterCost(operand: Value, { name, args, named }: Called): number {
  if (name === "tojson") return jsonCost(operand, named);
  if (isText(operand)) return textCost(operand.value, { name, args, named });
  if (name === "dictsort" || name === "sort")
    return sortCost(operand, lengthOf(args[2] ?? named.get("attribute")));
  if (!isList(operand)) return name === "string" ? printCost(operand) : LIST_ENTRY * entriesOf(operand);
  switch (name) {
    case "string":
      return printCost(operand);
    case "join":
      return operand.value.reduce(
        (sum, entry) => sum + 1 + (isText(entry) ? entry.value.length : printCost(entry)),
        operand.value.length * lengthOf(args[0] ?? named.get("separator")),
      );
    case "unique":
      return operand.value.reduce((sum, entry) => sum + LIST_ENTRY + lengthOf(entry), 0);
    default: {
      const words = [...args, ...named.values()].reduce((sum, word) => sum + lengthOf(word), 0);
      return operand.value.length * (1 + words);
    }
  }
}

function textCost(text: string, { name, args, named }: Called): number {
  const { length } = text;
  switch (name) {
    case "split":
      return args[0] !== undefined && isText(args[0])
        ? search(length, args[0].value.length) + (LIST_ENTRY * length) / Math.max(1, args[0].value.length) / 4
        : LIST_ENTRY * length;
    case "replace": {
      const [before, after] = [lengthOf(args[0]), lengthOf(args[1])];
      return search(length, before) + (length / Math.max(1, before) + 1) * (after + 1);
    }
    case "indent": {
      const width = args[0] ?? named.get("width");
      return length + linesOf(text) * Math.max(4, Number(width?.value ?? 4));
    }
    case "join":
      return LIST_ENTRY * length + length * lengthOf(args[0] ?? named.get("separator"));
    case "strip":
    case "lstrip":
    case "rstrip":
      return args.length === 0 ? length : LIST_ENTRY * length;
    case "startswith":
    case "endswith":
      return args.reduce((sum, arg) => sum + entriesOf(arg) + Math.min(length, lengthOf(arg)), length / 8);
    default:
      return 2 * length;
  }
}

function linesOf(text: string): number {
  let lines = 1;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines++;
  return lines;
}

/** Each comparison changes the case of both texts. @param path length of the name to sort by */
function sortCost(operand: Value, path: number): number {
  const entries = isList(operand) ? operand.value : isMap(operand) ? [...operand.value.values()] : [];
  const keys = isMap(operand) ? [...operand.value.keys()] : [];
  const longest = Math.max(
    entries.reduce((most, entry) => Math.max(most, longestIn(entry)), 0),
    keys.reduce((most, key) => Math.max(most, key.length), 0),
  );
  return entries.length * Math.ceil(Math.log2(entries.length + 2)) * (LIST_ENTRY + longest + path);
}

/** Length of the texts in a list or object that may be compared. */
function longestIn(value: Value): number {
  return isText(value) ? value.value.length : isList(value) || isMap(value) ? sizeOf(value).characters : 0;
}

function jsonCost(operand: Value, named: ReadonlyMap<string, Value>): number {
  const { characters, entries, depth } = sizeOf(operand);
  const indent = Math.max(0, Number(named.get("indent")?.value ?? 0));
  const separators = named.get("separators");
  const between =
    separators !== undefined && isList(separators)
      ? separators.value.reduce((sum, text) => sum + lengthOf(text), 0)
      : 0;
  // A control character, or with ensure_ascii any letter of another alphabet, takes six.
  return 3 * characters + entries * (indent * (depth + 1) + between) + indent * (depth + 1);
}
