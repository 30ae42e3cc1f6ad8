import { Interpreter } from "@huggingface/jinja";
import { binaryCost, type Called, filterCost, LIST_ENTRY, memberCost, methodCost } from "./costs.js";
import { TemplateTooMuch } from "./too-much.js";
import { entriesOf, forgetMethods, isText, printCost, type Value } from "./values.js";

/** What one rendering may use. */
export interface TemplateBounds {
  /** Expressions and statements that are evaluated, and rounds of loops. */
  steps: number;
  /**
   * Characters of all texts that these give, the output's among them, and of those that a filter or an operator reads again
   * and again; an entry of a new list counts as 32.
   */
  characters: number;
  milliseconds: number;
  /** Whether an operation may make a text that is many times longer than what it was given. */
  multiplies: boolean;
}

/** A rendering that streams may wait for: it takes a few milliseconds at most. */
export const LIGHT: TemplateBounds = {
  steps: 10_000,
  characters: 1_000_000,
  milliseconds: 5,
  multiplies: false,
};

/** What a template may take for the few words that a start tries it with. */
export const TRIAL: TemplateBounds = {
  steps: 200_000,
  characters: 4_000_000,
  // Far more than that takes: a machine may be busy when a server starts.
  milliseconds: 1_000,
  multiplies: true,
};

/** For threads that nobody's stream waits for. @param input characters of the conversation */
export const whole = (input: number): TemplateBounds => ({
  steps: 5_000_000,
  characters: 32_000_000 + 100 * input,
  milliseconds: 2_000,
  multiplies: true,
});

/** Filters and methods whose one step can multiply a text: `'x' | replace('', y)`, `indent(1000000)`. */
const multiplying = new Set(["replace", "indent", "join", "format", "tojson"]);

/** Kinds of nodes that may make a new list or object. */
const makers = new Set([
  "ArrayLiteral",
  "TupleLiteral",
  "ObjectLiteral",
  "BinaryExpression",
  "CallExpression",
  "FilterExpression",
  "MemberExpression",
]);

class Spending {
  #steps: number;
  #characters: number;
  readonly #until: number;
  readonly multiplies: boolean;

  constructor({ steps, characters, milliseconds, multiplies }: TemplateBounds) {
    this.#steps = steps;
    this.#characters = characters;
    this.#until = performance.now() + milliseconds;
    this.multiplies = multiplies;
  }

  step(count = 1): void {
    this.#steps -= count;
    if (this.#steps < 0) throw new TemplateTooMuch("expected fewer steps");
    if (performance.now() > this.#until) throw new TemplateTooMuch("expected less time");
  }

  spend(characters: number): void {
    this.#characters -= characters;
    // Written so that a NaN counts as too much.
    if (!(this.#characters >= 0)) throw new TemplateTooMuch("expected less text");
  }
}

/** The rendering that runs. One is enough: rendering is synchronous. */
let current: Spending | null = null;

/** Runs `render` within bounds. @throws TemplateTooMuch */
export function within(bounds: TemplateBounds, render: () => string): string {
  const outer = current;
  current = new Spending(bounds);
  try {
    return render();
  } finally {
    current = outer;
  }
}

/** Pays for what a function is about to make. @throws TemplateTooMuch */
export function spend(characters: number): void {
  current?.spend(characters);
}

/** A node of a template. */
interface Node {
  type: string;
  value?: unknown;
  // biome-ignore lint/suspicious/noExplicitAny: the library doesn't export its nodes' types
  [field: string]: any;
}

type Method<Arguments extends unknown[]> = (this: Inner, ...args: Arguments) => Value;

/** The library's interpreter as it is inside. */
interface Inner {
  evaluate: Method<[node: Node | undefined, scope: unknown]>;
  evaluateArguments(args: Node[], scope: unknown): [Value[], Map<string, Value>];
  evaluateBinaryExpression: Method<[node: Node, scope: unknown]>;
  evaluateMemberExpression: Method<[node: Node, scope: unknown]>;
  evaluateFor: Method<[node: Node, scope: unknown]>;
  evaluateBlock: Method<[nodes: Node[], scope: unknown]>;
  applyFilter: Method<[operand: Value, filter: Node, scope: unknown]>;
}

const KNOWN = "KnownValue";

/** A node of what has been evaluated already, so that its cost could be told before the library goes on with it. */
const known = (value: Value): Node => ({ type: KNOWN, value });

// The library has no bounds of its own. It does each of these by one method of its interpreter. What a method does in one go
// is paid for before.
const inner = Interpreter.prototype as unknown as Inner;
const { evaluate, evaluateBinaryExpression, evaluateMemberExpression, evaluateFor, evaluateBlock, applyFilter } =
  inner;

inner.evaluate = function (node, scope) {
  if (current === null) return evaluate.call(this, node, scope);
  if (node?.type === KNOWN) return node.value as Value;
  current.step();
  if (!current.multiplies && node !== undefined) refuseMultiplying(node);
  // The first of an empty list is nothing at all to the library, and undefined to Jinja.
  const result = evaluate.call(this, node, scope) ?? evaluate.call(this, undefined, scope);
  if (isText(result)) current.spend(result.value.length);
  // A new list holds memory for each entry. A known one, which costs nothing, is read again and again in loops.
  else if (node !== undefined && makers.has(node.type)) current.spend(LIST_ENTRY * entriesOf(result));
  return result;
};

function refuseMultiplying({ filter, callee }: Node): void {
  const called = filter ?? callee;
  const name = called?.value ?? called?.callee?.value ?? called?.property?.value;
  if (multiplying.has(String(name))) throw new TemplateTooMuch("expected no text that multiplies");
}

inner.evaluateBinaryExpression = function (node, scope) {
  const operator = String(node.operator.value);
  if (current === null || operator === "and" || operator === "or")
    return evaluateBinaryExpression.call(this, node, scope);
  const left = this.evaluate(node.left, scope);
  const right = this.evaluate(node.right, scope);
  current.spend(binaryCost(operator, left, right));
  return evaluateBinaryExpression.call(this, { ...node, left: known(left), right: known(right) }, scope);
};

inner.evaluateMemberExpression = function (node, scope) {
  if (current === null) return evaluateMemberExpression.call(this, node, scope);
  const spending = current;
  const object = this.evaluate(node.object, scope);
  const isSlice = node.property.type === "SliceExpression";
  if (isSlice) spending.spend(memberCost(object));
  const property = node.computed && !isSlice ? this.evaluate(node.property, scope) : node.property;
  const found = evaluateMemberExpression.call(
    this,
    { ...node, object: known(object), ...(node.computed && !isSlice && { property: known(property) }) },
    scope,
  );
  forgetMethods(object);
  if (typeof found.value !== "function") return found;
  const name = String(property.value);
  return replaced(found, (args, call) => {
    spending.spend(methodCost(name, object, args));
    return stripped(name, object, args) ?? call();
  });
};

inner.evaluateFor = function (node, scope) {
  if (current === null) return evaluateFor.call(this, node, scope);
  const { iterable } = node;
  const isSelected = iterable.type === "SelectExpression";
  const list = this.evaluate(isSelected ? iterable.lhs : iterable, scope);
  // It prepares all rounds before the first, and a round without a body takes no step.
  current.step(entriesOf(list));
  current.spend(LIST_ENTRY * entriesOf(list));
  const evaluated = isSelected ? { ...iterable, lhs: known(list) } : known(list);
  return evaluateFor.call(this, { ...node, iterable: evaluated }, scope);
};

inner.evaluateBlock = function (nodes, scope) {
  if (current === null) return evaluateBlock.call(this, nodes, scope);
  let text = "";
  for (const node of nodes) {
    const value = this.evaluate(node, scope);
    if (value.type === "NullValue" || value.type === "UndefinedValue") continue;
    if (!isText(value)) current.spend(printCost(value));
    text += value.toString();
  }
  return evaluate.call(this, { type: "StringLiteral", value: text }, scope);
};

inner.applyFilter = function (operand, filter, scope) {
  if (current === null) return applyFilter.call(this, operand, filter, scope);
  const call = callOf(this, filter, scope);
  current.spend(filterCost(operand, call.called));
  const result = applyFilter.call(this, operand, call.filter, scope);
  forgetMethods(operand);
  return result;
};

/** Filters whose arguments the library wants as they stand in the template. */
const literal = new Set(["selectattr", "rejectattr"]);

/** A filter's name and arguments, and the filter with these arguments known. */
function callOf(interpreter: Inner, filter: Node, scope: unknown): { called: Called; filter: Node } {
  if (filter.type !== "CallExpression")
    return { called: { name: String(filter.value), args: [], named: new Map() }, filter };
  const name = String(filter.callee.value);
  if (literal.has(name))
    return { called: { name, args: filter.args.filter(isText), named: new Map() }, filter };
  const [args, named] = interpreter.evaluateArguments(filter.args, scope);
  const evaluated = [
    ...args.map(known),
    ...[...named].map(([key, value]) => ({
      type: "KeywordArgumentExpression",
      key: { value: key },
      value: known(value),
    })),
  ];
  return { called: { name, args, named }, filter: { ...filter, args: evaluated } };
}

/** Another function in the place of one that was found. */
function replaced(found: Value, make: (args: readonly Value[], call: () => Value) => Value): Value {
  const call = found.value as (args: readonly Value[], scope: unknown) => Value;
  const value = (args: readonly Value[], scope: unknown) => make(args, () => call(args, scope));
  return Object.assign(Object.create(Object.getPrototypeOf(found)), found, { value });
}

/** Python's `strip` takes off the characters that it is given, which the library doesn't. Null for another method. */
function stripped(name: string, object: Value, [given]: readonly Value[]): Value | null {
  if (!isText(object) || given === undefined || !isText(given)) return null;
  if (name !== "strip" && name !== "lstrip" && name !== "rstrip") return null;
  const characters = new Set(given.value);
  const text = [...object.value];
  let [start, end] = [0, text.length];
  if (name !== "rstrip") while (start < end && characters.has(text[start]!)) start++;
  if (name !== "lstrip") while (end > start && characters.has(text[end - 1]!)) end--;
  return Object.assign(Object.create(Object.getPrototypeOf(object)), object, { value: text.slice(start, end).join("") });
}
