import { GrammarError } from "../nodes/error.js";
import type { Node, Nodes } from "../nodes/node.js";

/** The least or the greatest value of a number. */
export interface Bound {
  value: number;
  /** Whether the value itself is out of bounds. */
  exclusive: boolean;
}

/** A double tells all numbers of this many digits apart. */
const DIGITS = 15;
const LARGEST = 10 ** DIGITS - 1;

/** Decimal texts of numbers within bounds, as JSON has them. */
export class Numbers {
  readonly #nodes: Nodes;
  readonly #digit: Node;
  /** Nodes by bounds: most numbers of a schema have the same ones, which take a hundred nodes. */
  readonly #known = new Map<string, Node>();

  constructor(nodes: Nodes) {
    this.#nodes = nodes;
    this.#digit = this.#digits("0", "9");
  }

  /** Integers of up to 15 digits. */
  integer(least: Bound | null, most: Bound | null): Node {
    const low =
      least === null ? -LARGEST : least.exclusive ? Math.floor(least.value) + 1 : Math.ceil(least.value);
    const high =
      most === null ? LARGEST : most.exclusive ? Math.ceil(most.value) - 1 : Math.floor(most.value);
    for (const bound of [low, high]) if (Math.abs(bound) > LARGEST) throw tooLong(bound);
    return this.#nodes.choice(
      this.#nodes.sequence(this.#nodes.text("-"), this.#naturals(Math.max(1, -high), -low)),
      this.#naturals(Math.max(0, low), high),
    );
  }

  /** Any number that a double holds, or those within bounds, then without an exponent. */
  number(least: Bound | null, most: Bound | null): Node {
    const nodes = this.#nodes;
    if (least === null && most === null) {
      const sign = nodes.optional(nodes.choice(nodes.text("+"), nodes.text("-")));
      const exponent = nodes.sequence(nodes.choice(nodes.text("e"), nodes.text("E")), sign, this.#some(1, 2));
      return nodes.sequence(
        nodes.optional(nodes.text("-")),
        this.#naturals(0, LARGEST),
        nodes.optional(nodes.sequence(nodes.text("."), this.#some(1, DIGITS))),
        nodes.optional(exponent),
      );
    }
    const given = [least, most].flatMap((bound) => (bound === null ? [] : parts(bound.value)));
    const wholeDigits = Math.max(9, ...given.map(({ whole }) => String(whole).length));
    const room = Math.max(Math.min(6, DIGITS - wholeDigits), ...given.map(({ fraction }) => fraction.length));
    const asked = Math.max(...given.map(({ whole }) => String(whole).length));
    if (asked + room > DIGITS) throw tooLong((least ?? most)!.value);
    const cap = 10 ** Math.min(wholeDigits, DIGITS - room) - 1;
    const low = least ?? { value: -cap, exclusive: false };
    const high = most ?? { value: cap, exclusive: false };
    const zero = { value: 0, exclusive: false };
    // Below zero, magnitudes; zero itself has no sign.
    const magnitudes = this.#decimals(
      high.value < 0 ? { ...high, value: -high.value } : { value: 0, exclusive: true },
      { ...low, value: -low.value },
      room,
    );
    return nodes.choice(
      nodes.sequence(nodes.text("-"), magnitudes),
      this.#decimals(low.value < 0 ? zero : low, high, room),
    );
  }

  #naturals(low: number, high: number): Node {
    const key = `${low} ${high}`;
    const known = this.#known.get(key) ?? this.#listed(low, high);
    this.#known.set(key, known);
    return known;
  }

  #listed(low: number, high: number): Node {
    const options: Node[] = [];
    for (let length = 1; length <= DIGITS; length++) {
      const first = Math.max(low, length === 1 ? 0 : 10 ** (length - 1));
      const last = Math.min(high, 10 ** length - 1);
      if (first <= last) options.push(this.#between(String(first), String(last)));
    }
    return this.#nodes.choice(...options);
  }

  /** Numbers from `low` to `high`, which have equally many digits. */
  #between(low: string, high: string): Node {
    if (low === high) return this.#nodes.text(low);
    const rest = this.#some(low.length - 1, low.length - 1);
    if (low[0] === high[0]) return this.#then(low[0]!, this.#between(low.slice(1), high.slice(1)));
    const nines = "9".repeat(low.length - 1);
    if (high === `9${nines}` && Number(low) === 0) return this.#some(low.length, low.length);
    return this.#nodes.choice(
      this.#then(low[0]!, this.#between(low.slice(1), nines)),
      this.#nodes.sequence(this.#digits(next(low[0]!, 1), next(high[0]!, -1)), rest),
      this.#then(high[0]!, this.#between("0".repeat(low.length - 1), high.slice(1))),
    );
  }

  /** Decimals that are not negative, with a fraction of at most `room` digits. */
  #decimals(low: Bound, high: Bound, room: number): Node {
    const nodes = this.#nodes;
    if (low.value > high.value) return nodes.never;
    const from = parts(low.value);
    const to = parts(high.value);
    const least = { digits: from.fraction, exclusive: low.exclusive };
    const most = { digits: to.fraction, exclusive: high.exclusive };
    const free = { digits: "", exclusive: false };
    const whole = (value: number, fraction: Node) => nodes.sequence(nodes.text(String(value)), fraction);
    if (from.whole === to.whole) return whole(from.whole, this.#fraction(least, most, room));
    return nodes.choice(
      whole(from.whole, this.#fraction(least, null, room)),
      nodes.sequence(this.#naturals(from.whole + 1, to.whole - 1), this.#fraction(free, null, room)),
      whole(to.whole, this.#fraction(free, most, room)),
    );
  }

  /** The point and what follows it, or nothing, between two fractions; without an upper one up to one. */
  #fraction(least: Fraction, most: Fraction | null, room: number): Node {
    return this.#nodes.choice(
      reaches(least, most) ? this.#nodes.empty : this.#nodes.never,
      this.#nodes.sequence(this.#nodes.text("."), this.#fractionDigits(least, most, room, true)),
    );
  }

  /** `least` and `most` are null where what was written is already beyond them. */
  #fractionDigits(least: Fraction | null, most: Fraction | null, room: number, first: boolean): Node {
    const nodes = this.#nodes;
    if (least === null && most === null) return this.#some(first ? 1 : 0, room);
    const end = !first && reaches(least, most) ? nodes.empty : nodes.never;
    if (room === 0) return end;
    const low = least?.digits[0] ?? "0";
    const high = most === null ? "9" : (most.digits[0] ?? "0");
    const rest = (bound: Fraction | null) => bound && { ...bound, digits: bound.digits.slice(1) };
    if (low > high) return end;
    const options = [end];
    if (low === high)
      options.push(this.#then(low, this.#fractionDigits(rest(least), rest(most), room - 1, false)));
    else {
      const afterLow = least && this.#then(low, this.#fractionDigits(rest(least), null, room - 1, false));
      const afterHigh = most && this.#then(high, this.#fractionDigits(null, rest(most), room - 1, false));
      const between = this.#digits(least ? next(low, 1) : low, most ? next(high, -1) : high);
      options.push(nodes.sequence(between, this.#some(0, room - 1)));
      if (afterLow) options.push(afterLow);
      if (afterHigh) options.push(afterHigh);
    }
    return nodes.choice(...options);
  }

  #then(digit: string, rest: Node): Node {
    return this.#nodes.sequence(this.#nodes.text(digit), rest);
  }

  #digits(first: string, last: string): Node {
    return this.#nodes.bytes([first.charCodeAt(0), last.charCodeAt(0)]);
  }

  #some(min: number, max: number): Node {
    return this.#nodes.repeat(this.#digit, min, max);
  }
}

/** Digits after the point, without zeros at the end. */
interface Fraction {
  digits: string;
  exclusive: boolean;
}

/** Whether the number may end here, as if only zeros followed. */
function reaches(least: Fraction | null, most: Fraction | null): boolean {
  const isEnough = least === null || (least.digits === "" && !least.exclusive);
  return isEnough && (most === null || most.digits !== "" || !most.exclusive);
}

function next(digit: string, by: number): string {
  return String.fromCharCode(digit.charCodeAt(0) + by);
}

/** The magnitude in plain decimals. */
function parts(value: number): { whole: number; fraction: string } {
  const magnitude = Math.abs(value);
  if (magnitude > LARGEST) throw tooLong(value);
  const whole = Math.trunc(magnitude);
  const [digits, exponent] = String(magnitude).split("e");
  const fraction = digits!.split(".")[1] ?? "";
  const plain =
    exponent === undefined ? fraction : `${"0".repeat(-Number(exponent) - 1)}${digits!.replace(".", "")}`;
  if (plain.length > DIGITS) throw tooLong(value);
  return { whole, fraction: plain };
}

function tooLong(value: number): GrammarError {
  return new GrammarError(
    `expected bounds of at most ${DIGITS} digits, six of them free for decimals, got ${value}`,
  );
}
