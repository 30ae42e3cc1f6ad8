import { Interpreter } from "@huggingface/jinja";

/** What one rendering may use. */
export interface TemplateBounds {
  /** Expressions and statements that are evaluated. */
  steps: number;
  /** Characters of all texts that these give, the output's among them; an entry of a new list counts as eight. */
  characters: number;
  milliseconds: number;
  /** Whether an operation may make a text that is many times longer than what it was given. */
  multiplies: boolean;
}

/** The template used more than its bounds. */
export class TemplateTooMuch extends Error {
  override name = "TemplateTooMuch";
}

/** A rendering that streams may wait for: it takes a few milliseconds at most. */
export const LIGHT: TemplateBounds = {
  steps: 10_000,
  characters: 1_000_000,
  milliseconds: 5,
  multiplies: false,
};

/** For threads that nobody's stream waits for, and for the start. @param input characters of the conversation */
export const whole = (input: number): TemplateBounds => ({
  steps: 5_000_000,
  characters: 128_000_000 + 200 * input,
  milliseconds: 2_000,
  multiplies: true,
});

/** The longest list that `range` makes. */
const LONGEST_RANGE = 100_000;

/** Filters and methods whose one step can multiply a text: `'x' | replace('', y)`, `indent(1000000)`. */
const multiplying = new Set(["replace", "indent", "join", "format", "tojson"]);

/** Kinds of nodes that may make a new list. */
const makers = new Set(["ArrayLiteral", "BinaryExpression", "CallExpression", "FilterExpression"]);

interface Spending extends TemplateBounds {
  until: number;
}

/** The rendering that runs. One is enough: rendering is synchronous. */
let current: Spending | null = null;

interface Statement {
  type?: string;
  filter?: Named;
  callee?: Named;
}

interface Named {
  value?: unknown;
  callee?: Named;
  property?: Named;
}

// The library has no bounds of its own. Its interpreter evaluates every node by this method.
const evaluate = Interpreter.prototype.evaluate;
Interpreter.prototype.evaluate = function (
  this: Interpreter,
  statement: Parameters<typeof evaluate>[0],
  environment: Parameters<typeof evaluate>[1],
) {
  if (current === null) return evaluate.call(this, statement, environment);
  count(current, (statement ?? {}) as Statement);
  const result = evaluate.call(this, statement, environment);
  const { value } = result as { value: unknown };
  if (typeof value === "function" && (statement as Named).value === "range") return withCheckedLength(result);
  if (typeof value === "string") current.characters -= value.length;
  // A new list holds memory for each entry. A known one, which costs nothing, is read again and again in loops.
  else if (Array.isArray(value) && makers.has(statement?.type ?? "")) current.characters -= 8 * value.length;
  if (current.characters < 0) throw new TemplateTooMuch("expected less text");
  return result;
};

function count(spending: Spending, { filter, callee }: Statement): void {
  if (--spending.steps < 0) throw new TemplateTooMuch("expected fewer steps");
  if (performance.now() > spending.until) throw new TemplateTooMuch("expected less time");
  if (spending.multiplies) return;
  const called = filter ?? callee;
  const name = called?.value ?? called?.callee?.value ?? called?.property?.value;
  if (multiplying.has(String(name))) throw new TemplateTooMuch("expected no text that multiplies");
}

/** Runs `render` within bounds. @throws TemplateTooMuch */
export function within(bounds: TemplateBounds, render: () => string): string {
  const outer = current;
  current = { ...bounds, until: performance.now() + bounds.milliseconds };
  try {
    return render();
  } finally {
    current = outer;
  }
}

/** `range` makes its whole list in one step, so its length is checked before. */
function withCheckedLength<T extends object>(range: T): T {
  const { value: make } = range as { value: (args: { value: unknown }[], scope: unknown) => unknown };
  const value: typeof make = (args, scope) => {
    const [start = 0, stop, step = 1] = args.map((argument) => Number(argument.value));
    const length = Math.abs((stop === undefined ? start : stop - start) / step);
    if (length > LONGEST_RANGE) throw new TemplateTooMuch("expected a shorter range");
    return make(args, scope);
  };
  return Object.assign(Object.create(Object.getPrototypeOf(range)), range, { value });
}
