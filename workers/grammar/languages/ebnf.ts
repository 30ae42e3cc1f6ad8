import { shown } from "../../../models/files/fields.js";
import { characters, complement, type Range } from "../nodes/code-points.js";
import { GrammarError } from "../nodes/error.js";
import type { Node, Nodes, Rule } from "../nodes/node.js";

const MAX_DEPTH = 200;
const escapes: Record<string, number> = { n: 0x0a, r: 0x0d, t: 0x09, "0": 0x00 };

/**
 * A grammar in the dialect of EBNF that llama.cpp (GBNF) and XGrammar read: rules `name ::= …`, of which `root` is the
 * whole text, with "texts", [character classes], `.`, (groups), alternatives with `|`, `? * + {m,n}` and # comments.
 * @throws GrammarError
 */
export function parseEbnf(nodes: Nodes, source: string): Node {
  return new EbnfParser(nodes, source).parse();
}

class EbnfParser {
  readonly #nodes: Nodes;
  readonly #source: string;
  readonly #rules = new Map<string, Rule>();
  #at = 0;
  #depth = 0;

  constructor(nodes: Nodes, source: string) {
    this.#nodes = nodes;
    this.#source = source;
  }

  parse(): Node {
    this.#blanks();
    while (this.#at < this.#source.length) {
      const rule = this.#rule(this.#match(/[A-Za-z_][\w-]*/y) ?? this.#wrong("the name of a rule"));
      if (rule.body) throw new GrammarError(`expected one rule ${shown(rule.name)}, got two`);
      this.#blanks();
      if (!this.#match(/::=/y)) this.#wrong("::=");
      this.#blanks();
      rule.body = this.#alternatives();
    }
    for (const { name, body } of this.#rules.values())
      if (!body) throw new GrammarError(`expected a rule ${shown(name)}, got none`);
    const root = this.#rules.get("root");
    if (!root) throw new GrammarError('expected a rule "root", got none');
    return this.#nodes.ref(root);
  }

  #rule(name: string): Rule {
    const rule = this.#rules.get(name) ?? this.#nodes.rule(name);
    this.#rules.set(name, rule);
    return rule;
  }

  #alternatives(): Node {
    const all = [this.#sequence()];
    while (this.#match(/\|/y)) {
      this.#blanks();
      all.push(this.#sequence());
    }
    return this.#nodes.choice(...all);
  }

  #sequence(): Node {
    const parts: Node[] = [];
    for (let part = this.#part(); part; part = this.#part()) {
      this.#blanks();
      for (let bounds = this.#bounds(); bounds; bounds = this.#bounds()) {
        part = this.#nodes.repeat(part, ...bounds);
        this.#blanks();
      }
      parts.push(part);
    }
    return this.#nodes.sequence(...parts);
  }

  #part(): Node | null {
    if (this.#match(/"/y)) return this.#text();
    if (this.#match(/\[/y)) return this.#class();
    if (this.#match(/\./y)) return characters(this.#nodes, [[0, 0x10ffff]]);
    if (this.#match(/\(/y)) return this.#group();
    // A name before ::= begins the next rule.
    const name = this.#match(/[A-Za-z_][\w-]*(?![\w-]|[ \t\r\n]*::=)/y);
    return name === null ? null : this.#nodes.ref(this.#rule(name));
  }

  #text(): Node {
    const points: number[] = [];
    while (!this.#match(/"/y)) points.push(this.#character('"'));
    return this.#nodes.sequence(...points.map((point) => characters(this.#nodes, [[point, point]])));
  }

  #class(): Node {
    const negated = this.#match(/\^/y) !== null;
    const ranges: Range[] = [];
    while (!this.#match(/\]/y)) {
      const first = this.#character("]");
      const last = this.#match(/-(?!\])/y) ? this.#character("]") : first;
      if (last < first) throw new GrammarError(`expected ranges in order, got ${shown(this.#before())}`);
      ranges.push([first, last]);
    }
    return characters(this.#nodes, negated ? complement(ranges) : ranges);
  }

  #character(end: string): number {
    const point = this.#source.codePointAt(this.#at);
    if (point === undefined || point === 0x0a) this.#wrong(end);
    this.#at += point! > 0xffff ? 2 : 1;
    if (point !== 0x5c) return point!;
    const hex = this.#match(/x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}/y);
    if (hex) {
      const code = Number.parseInt(hex.slice(1), 16);
      if (code > 0x10ffff) throw new GrammarError(`expected a character of Unicode, got \\${hex}`);
      return code;
    }
    const letter =
      this.#match(/["'\\nrt0[\]^-]/y) ??
      this.#wrong('one of \\n \\r \\t \\0 \\" \\\\ \\[ \\] \\^ \\- \\x \\u \\U');
    return escapes[letter] ?? letter.codePointAt(0)!;
  }

  #group(): Node {
    if (++this.#depth > MAX_DEPTH)
      throw new GrammarError(`expected groups of at most ${MAX_DEPTH} levels, got more`);
    this.#blanks();
    const inner = this.#alternatives();
    if (!this.#match(/\)/y)) this.#wrong(")");
    this.#depth--;
    return inner;
  }

  #bounds(): [number, number] | null {
    if (this.#match(/\*/y)) return [0, Number.POSITIVE_INFINITY];
    if (this.#match(/\+/y)) return [1, Number.POSITIVE_INFINITY];
    if (this.#match(/\?/y)) return [0, 1];
    if (!this.#match(/\{/y)) return null;
    const text = this.#match(/\s*\d{1,9}\s*(,\s*(\d{1,9})?\s*)?\}/y) ?? this.#wrong("{m}, {m,} or {m,n}");
    const [min, max] = text.slice(0, -1).split(",");
    const least = Number(min);
    if (max === undefined) return [least, least];
    return [least, max.trim() === "" ? Number.POSITIVE_INFINITY : Number(max)];
  }

  #blanks(): void {
    this.#match(/(?:[ \t\r\n]|#[^\n]*)*/y);
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#source)?.[0];
    if (found === undefined) return null;
    this.#at = pattern.lastIndex;
    return found;
  }

  #before(): string {
    return this.#source.slice(Math.max(0, this.#at - 20), this.#at);
  }

  #wrong(expected: string): never {
    const line = this.#source.slice(0, this.#at).split("\n").length;
    const got = this.#source.slice(this.#at, this.#at + 20);
    throw new GrammarError(`line ${line}: expected ${expected}, got ${got === "" ? "the end" : shown(got)}`);
  }
}
