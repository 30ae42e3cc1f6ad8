import { type Environment, Interpreter, type parse } from "@huggingface/jinja";
import type { Spending } from "./bounds.js";
import {
  binaryCost,
  type Called,
  filterCost,
  LIST_ENTRY,
  memberCost,
  methodCost,
  namespaceCost,
} from "./costs.js";
import { TemplateTooMuch } from "./too-much.js";
import { entriesOf, forgetMethods, isText, printCost, type Value } from "./values.js";

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

/** A node of a template. */
interface Node {
  type: string;
  value?: unknown;
  // biome-ignore lint/suspicious/noExplicitAny: the library doesn't export its nodes' types
  [field: string]: any;
}

/** The library's interpreter with its private methods. */
interface Inner {
  run(program: unknown): Value;
  evaluate(node: Node | undefined, scope: unknown): Value;
  evaluateArguments(args: Node[], scope: unknown): [Value[], Map<string, Value>];
  evaluateBinaryExpression(node: Node, scope: unknown): Value;
  evaluateMemberExpression(node: Node, scope: unknown): Value;
  evaluateFor(node: Node, scope: unknown): Value;
  evaluateBlock(nodes: Node[], scope: unknown): Value;
  applyFilter(operand: Value, filter: Node, scope: unknown): Value;
}

const Library = Interpreter as unknown as new (scope: Environment) => Inner;

const KNOWN = "KnownValue";

/** A node of a value that has been evaluated already. Its cost is known before the library uses it. */
const known = (value: Value): Node => ({ type: KNOWN, value });

/**
 * Interprets a template within bounds. The library has none of its own, but evaluates each kind of node by one method. Each
 * method here charges the cost before it calls the library's.
 */
export class BoundedInterpreter extends Library {
  readonly #spending: Spending;

  constructor(scope: Environment, spending: Spending) {
    super(scope);
    this.#spending = spending;
  }

  /** @throws TemplateTooMuch, or an error of the template's own */
  render(program: ReturnType<typeof parse>): string {
    return String(this.run(program).value);
  }

  override evaluate(node: Node | undefined, scope: unknown): Value {
    if (node?.type === KNOWN) return node.value as Value;
    this.#spending.step();
    if (!this.#spending.multiplies && node !== undefined) refuseMultiplying(node);
    // For the first item of an empty list the library gives no value at all. Jinja gives an undefined one.
    const result = super.evaluate(node, scope) ?? super.evaluate(undefined, scope);
    if (node?.type === "Identifier" && node.value === "namespace" && typeof result.value === "function")
      return replaced(result, (args, call) => {
        this.#spending.spend(namespaceCost(args));
        return call();
      });
    if (isText(result)) this.#spending.spend(result.value.length);
    // A new list holds memory for each entry. A known one, which costs nothing, is read again and again in loops.
    else if (node !== undefined && makers.has(node.type))
      this.#spending.spend(LIST_ENTRY * entriesOf(result));
    return result;
  }

  override evaluateBinaryExpression(node: Node, scope: unknown): Value {
    const operator = String(node.operator.value);
    if (operator === "and" || operator === "or") return super.evaluateBinaryExpression(node, scope);
    const left = this.evaluate(node.left, scope);
    const right = this.evaluate(node.right, scope);
    this.#spending.spend(binaryCost(operator, left, right));
    return super.evaluateBinaryExpression({ ...node, left: known(left), right: known(right) }, scope);
  }

  override evaluateMemberExpression(node: Node, scope: unknown): Value {
    const object = this.evaluate(node.object, scope);
    const isSlice = node.property.type === "SliceExpression";
    if (isSlice) this.#spending.spend(memberCost(object));
    const isComputed = node.computed && !isSlice;
    const property = isComputed ? this.evaluate(node.property, scope) : node.property;
    const evaluated = { ...node, object: known(object), ...(isComputed && { property: known(property) }) };
    const found = super.evaluateMemberExpression(evaluated, scope);
    forgetMethods(object);
    if (typeof found.value !== "function") return found;
    const name = String(property.value);
    return replaced(found, (args, call) => {
      this.#spending.spend(methodCost(name, object, args));
      return stripped(name, object, args) ?? call();
    });
  }

  override evaluateFor(node: Node, scope: unknown): Value {
    const { iterable } = node;
    const isSelected = iterable.type === "SelectExpression";
    const list = this.evaluate(isSelected ? iterable.lhs : iterable, scope);
    // The library prepares all rounds before the first one, and a round without a body costs no step.
    this.#spending.step(entriesOf(list));
    this.#spending.spend(LIST_ENTRY * entriesOf(list));
    const evaluated = isSelected ? { ...iterable, lhs: known(list) } : known(list);
    return super.evaluateFor({ ...node, iterable: evaluated }, scope);
  }

  override evaluateBlock(nodes: Node[], scope: unknown): Value {
    let text = "";
    for (const node of nodes) {
      const value = this.evaluate(node, scope);
      if (value.type === "NullValue" || value.type === "UndefinedValue") continue;
      if (!isText(value)) this.#spending.spend(printCost(value));
      text += value.toString();
    }
    return super.evaluate({ type: "StringLiteral", value: text }, scope);
  }

  override applyFilter(operand: Value, filter: Node, scope: unknown): Value {
    const call = this.#callOf(filter, scope);
    this.#spending.spend(filterCost(operand, call.called));
    const result = super.applyFilter(operand, call.filter, scope);
    forgetMethods(operand);
    return result;
  }

  /** A filter's name and arguments, and the filter with these arguments known. */
  #callOf(filter: Node, scope: unknown): { called: Called; filter: Node } {
    if (filter.type !== "CallExpression")
      return { called: { name: String(filter.value), args: [], named: new Map() }, filter };
    const name = String(filter.callee.value);
    if (literal.has(name))
      return { called: { name, args: filter.args.filter(isText), named: new Map() }, filter };
    const [args, named] = this.evaluateArguments(filter.args, scope);
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
}

/** Filters whose arguments the library wants as they stand in the template. */
const literal = new Set(["selectattr", "rejectattr"]);

function refuseMultiplying({ filter, callee }: Node): void {
  const called = filter ?? callee;
  const name = called?.value ?? called?.callee?.value ?? called?.property?.value;
  if (multiplying.has(String(name))) throw new TemplateTooMuch("expected no text that multiplies");
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
  return Object.assign(Object.create(Object.getPrototypeOf(object)), object, {
    value: text.slice(start, end).join(""),
  });
}
