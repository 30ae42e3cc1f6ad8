import type { Spending } from "./bounds.js";
import { LIST_ENTRY } from "./costs.js";
import { TemplateTooMuch } from "./too-much.js";

/** The longest list that `range` makes. */
const LONGEST_RANGE = 100_000;

/** Variables and functions of every template, as Transformers has them. */
export function globals(
  spending: Pick<Spending, "spend">,
  now: () => Date = () => new Date(),
): Record<string, unknown> {
  return {
    ...{ true: true, True: true, false: false, False: false, none: null, None: null },
    raise_exception: (reason: unknown) => {
      throw new Error(String(reason));
    },
    range: (...given: unknown[]) => range(given, spending),
    strftime_now: (format: unknown) => {
      spending.spend(String(format).length);
      return strftime(now(), String(format));
    },
  };
}

function range(given: readonly unknown[], spending: Pick<Spending, "spend">): number[] {
  const isNumber = (value: unknown): value is number => Number.isSafeInteger(value);
  const numbers = given.filter(isNumber);
  // Python counts in whole numbers alone. Others, or texts of digits, could count without an end.
  if (numbers.length !== given.length || given.length < 1 || given.length > 3)
    throw new Error("range: expected one to three whole numbers");
  const [first = 0, second, step = 1] = numbers;
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  if (step === 0) throw new Error("range: expected a step other than 0");
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (length > LONGEST_RANGE) throw new TemplateTooMuch("expected a shorter range");
  spending.spend(LIST_ENTRY * length);
  return Array.from({ length }, (_, index) => start + index * step);
}

const MONTHS = "January February March April May June July August September October November December".split(
  " ",
);
const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");

/** Python's `strftime` in the C locale, since templates were written with English names of months. */
function strftime(date: Date, format: string): string {
  const padded = (value: number, width = 2) => String(value).padStart(width, "0");
  const month = MONTHS[date.getMonth()]!;
  const day = DAYS[date.getDay()]!;
  const hour = date.getHours();
  const startOfYear = new Date(date.getFullYear(), 0, 1);
  const today = new Date(date.getFullYear(), date.getMonth(), date.getDate());
  const parts: Record<string, () => string> = {
    Y: () => String(date.getFullYear()),
    y: () => padded(date.getFullYear() % 100),
    m: () => padded(date.getMonth() + 1),
    B: () => month,
    b: () => month.slice(0, 3),
    d: () => padded(date.getDate()),
    "-d": () => String(date.getDate()),
    j: () => padded(Math.round((today.getTime() - startOfYear.getTime()) / 86_400_000) + 1, 3),
    A: () => day,
    a: () => day.slice(0, 3),
    H: () => padded(hour),
    I: () => padded(hour % 12 || 12),
    p: () => (hour < 12 ? "AM" : "PM"),
    M: () => padded(date.getMinutes()),
    S: () => padded(date.getSeconds()),
    "%": () => "%",
  };
  return format.replace(/%(-?[A-Za-z%])/g, (whole, name: string) => parts[name]?.() ?? whole);
}
