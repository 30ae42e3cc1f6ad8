import { shown } from "../../../models/files/fields.js";
import { complement, normalized, type Range } from "../nodes/code-points.js";
import { GrammarError } from "../nodes/error.js";
import type { Node, Nodes } from "../nodes/node.js";

/** Writes one of some characters: as itself, or as it stands within a JSON string. */
export type Spelling = (ranges: readonly Range[]) => Node;

const MAX_DEPTH = 200;

const digit: Range[] = [[0x30, 0x39]];
const word: Range[] = [...digit, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]];
/** As ECMAScript has it. */
const space: Range[] = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const lineEnds: Range[] = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];
const classes: Record<string, Range[]> = {
  d: digit,
  D: complement(digit),
  w: word,
  W: complement(word),
  s: space,
  S: complement(space),
};
const controls: Record<string, number> = { n: 0x0a, r: 0x0d, t: 0x09, v: 0x0b, f: 0x0c, "0": 0x00 };

interface RegexOptions {
  /** Without `^` or `$`, anything may come before or after, as with JSON Schema's `pattern`. */
  search: boolean;
  spelling: Spelling;
}

/**
 * A regular expression of ECMAScript (with its `u` flag), without look-around and references to groups. `^` and `$`
 * may stand at the ends of the whole or of its alternatives.
 * @throws GrammarError
 */
export function parseRegex(nodes: Nodes, pattern: string, options: RegexOptions): Node {
  try {
    new RegExp(pattern, "u");
  } catch (error) {
    throw new GrammarError(
      `expected a regular expression, got ${shown(pattern)}: ${(error as Error).message.split(": ").at(-1)}`,
    );
  }
  return new RegexParser(nodes, pattern, options).parse();
}

class RegexParser {
  readonly #nodes: Nodes;
  readonly #pattern: string;
  readonly #source: readonly string[];
  readonly #options: RegexOptions;
  readonly #spelled = new Map<string, Node>();
  #at = 0;
  #depth = 0;

  constructor(nodes: Nodes, pattern: string, options: RegexOptions) {
    this.#nodes = nodes;
    this.#pattern = pattern;
    this.#source = [...pattern];
    this.#options = options;
  }

  parse(): Node {
    return this.#alternatives(true);
  }

  /** RegExp has accepted the pattern with the `u` flag, so no syntax has to be checked here. */
  #alternatives(outermost: boolean): Node {
    const all = [this.#alternative(outermost)];
    while (this.#skip("|")) all.push(this.#alternative(outermost));
    return this.#nodes.choice(...all);
  }

  #alternative(outermost: boolean): Node {
    const anything = this.#nodes.repeat(this.#spell([[0, 0x10ffff]]), 0, Number.POSITIVE_INFINITY);
    const parts: Node[] = [];
    if (outermost && !this.#skip("^") && this.#options.search) parts.push(anything);
    for (;;) {
      const next = this.#source[this.#at];
      if (next === undefined || next === "|" || next === ")") {
        if (outermost && this.#options.search) parts.push(anything);
        break;
      }
      if (outermost && next === "$" && [undefined, "|"].includes(this.#source[this.#at + 1])) {
        this.#at++;
        break;
      }
      parts.push(this.#quantified(this.#atom()));
    }
    return this.#nodes.sequence(...parts);
  }

  #quantified(atom: Node): Node {
    const [min, max] = this.#bounds();
    if (min === null) return atom;
    // Lazy and greedy quantifiers match the same texts.
    this.#skip("?");
    return this.#nodes.repeat(atom, min, max);
  }

  #bounds(): [number, number] | [null, null] {
    if (this.#skip("*")) return [0, Number.POSITIVE_INFINITY];
    if (this.#skip("+")) return [1, Number.POSITIVE_INFINITY];
    if (this.#skip("?")) return [0, 1];
    if (!this.#skip("{")) return [null, null];
    const [min, max] = this.#until("}").split(",");
    const least = Number(min);
    return [least, max === undefined ? least : max === "" ? Number.POSITIVE_INFINITY : Number(max)];
  }

  #atom(): Node {
    const character = this.#source[this.#at++]!;
    switch (character) {
      case ".":
        return this.#spell(complement(lineEnds));
      case "[":
        return this.#spell(this.#class());
      case "(":
        return this.#group();
      case "\\":
        return this.#spell(this.#escape());
      case "^":
      case "$":
        return this.#refuse(`${character} elsewhere than at an end`);
      default:
        return this.#spell([one(character)]);
    }
  }

  #group(): Node {
    if (this.#skip("?")) {
      if (this.#skip("<")) {
        if (["=", "!"].includes(this.#source[this.#at]!)) this.#refuse("looking behind");
        this.#until(">");
      } else if (!this.#skip(":")) this.#refuse("groups that begin with (? other than (?: and (?<name>");
    }
    if (++this.#depth > MAX_DEPTH) this.#refuse(`groups more than ${MAX_DEPTH} deep`);
    const inner = this.#alternatives(false);
    this.#depth--;
    this.#skip(")");
    return inner;
  }

  #class(): Range[] {
    const negated = this.#skip("^");
    const ranges: Range[] = [];
    while (!this.#skip("]")) {
      const from = this.#member();
      const first = from[0]!;
      const isOne = from.length === 1 && first[0] === first[1];
      if (isOne && this.#source[this.#at] === "-" && this.#source[this.#at + 1] !== "]") {
        this.#at++;
        ranges.push([first[0], this.#member()[0]![0]]);
      } else ranges.push(...from);
    }
    return negated ? complement(ranges) : normalized(ranges);
  }

  #member(): Range[] {
    const character = this.#source[this.#at++]!;
    if (character !== "\\") return [one(character)];
    if (this.#skip("b")) return [[0x08, 0x08]];
    return this.#skip("-") ? [one("-")] : this.#escape();
  }

  #escape(): Range[] {
    const character = this.#source[this.#at++]!;
    const known = classes[character];
    if (known) return known;
    const control = controls[character];
    if (control !== undefined) return [[control, control]];
    if (/[1-9k]/.test(character)) this.#refuse("references to groups");
    if (/b/i.test(character)) this.#refuse("word boundaries");
    if (/p/i.test(character)) this.#refuse("Unicode properties");
    if (character === "c") return [point(this.#source[this.#at++]!.codePointAt(0)! % 32)];
    if (character === "x") return [point(Number.parseInt(this.#take(2), 16))];
    if (character === "u") return [point(this.#unicode())];
    return [one(character)];
  }

  #unicode(): number {
    if (this.#skip("{")) return Number.parseInt(this.#until("}"), 16);
    const unit = Number.parseInt(this.#take(4), 16);
    const isHigh = unit >= 0xd800 && unit < 0xdc00;
    const rest = this.#source.slice(this.#at, this.#at + 6).join("");
    if (!isHigh || !/^\\u[dD][c-fC-F]/.test(rest)) return unit;
    this.#at += 6;
    return 0x10000 + (unit - 0xd800) * 0x400 + (Number.parseInt(rest.slice(2), 16) - 0xdc00);
  }

  /** Remembers nodes, since the same characters come again and again. */
  #spell(ranges: readonly Range[]): Node {
    const key = ranges.join(" ");
    const known = this.#spelled.get(key) ?? this.#options.spelling(ranges);
    this.#spelled.set(key, known);
    return known;
  }

  #skip(character: string): boolean {
    if (this.#source[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #take(count: number): string {
    this.#at += count;
    return this.#source.slice(this.#at - count, this.#at).join("");
  }

  #until(end: string): string {
    const start = this.#at;
    this.#at = this.#source.indexOf(end, start) + 1;
    return this.#source.slice(start, this.#at - 1).join("");
  }

  #refuse(what: string): never {
    throw new GrammarError(
      `expected a regular expression without ${what}, which is not supported, got ${shown(this.#pattern)}`,
    );
  }
}

function one(character: string): Range {
  return point(character.codePointAt(0)!);
}

function point(code: number): Range {
  return [code, code];
}
