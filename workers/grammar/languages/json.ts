import { characters, complement, type Range, without } from "../nodes/code-points.js";
import type { Node, Nodes, Rule } from "../nodes/node.js";
import { Numbers } from "./numbers.js";
import type { Spelling } from "./regex.js";

const escapes: readonly [point: number, letter: string][] = [
  [0x22, '"'],
  [0x5c, "\\"],
  [0x08, "b"],
  [0x0c, "f"],
  [0x0a, "n"],
  [0x0d, "r"],
  [0x09, "t"],
];
const unwritable: Range[] = [
  [0, 0x1f],
  [0x22, 0x22],
  [0x5c, 0x5c],
];

export interface Member {
  name: string;
  value: Node;
  required: boolean;
}

export interface ObjectForm {
  /** In the order in which they are written. */
  members: readonly Member[];
  /** The form of other members' values; null: no other members. */
  others: Node | null;
  min: number;
  max: number;
}

export interface ArrayForm {
  first: readonly Node[];
  /** The form of items after `first`; null: no other items. */
  others: Node | null;
  min: number;
  max: number;
}

/**
 * JSON with little freedom in how it is written: each character of a string as itself or by its short escape, and at
 * most one space between things. With more, a model could fill its context with line breaks.
 */
export class Json {
  readonly numbers: Numbers;
  readonly any: Node;
  readonly #nodes: Nodes;
  readonly #gap: Node;
  readonly #comma: Node;
  readonly #colon: Node;
  readonly #character: Node;

  constructor(nodes: Nodes) {
    this.#nodes = nodes;
    this.numbers = new Numbers(nodes);
    this.#gap = nodes.optional(nodes.text(" "));
    this.#comma = nodes.sequence(this.#gap, nodes.text(","), this.#gap);
    this.#colon = nodes.sequence(this.#gap, nodes.text(":"), this.#gap);
    this.#character = this.spelling([[0, 0x10ffff]]);
    const any = nodes.rule("any JSON value");
    this.any = nodes.ref(any);
    any.body = nodes.choice(
      this.anyObject(),
      this.anyArray(),
      this.string(0, Number.POSITIVE_INFINITY),
      this.numbers.number(null, null),
      ...["true", "false", "null"].map((word) => nodes.text(word)),
    );
  }

  readonly spelling: Spelling = (ranges) => {
    const escaped = escapes.filter(([point]) =>
      ranges.some(([first, last]) => first <= point && point <= last),
    );
    return this.#nodes.choice(
      characters(this.#nodes, without(ranges, unwritable)),
      ...escaped.map(([, letter]) => this.#nodes.text(`\\${letter}`)),
    );
  };

  anyObject(): Node {
    return this.object({ members: [], others: this.any, min: 0, max: Number.POSITIVE_INFINITY });
  }

  anyArray(): Node {
    return this.array({ first: [], others: this.any, min: 0, max: Number.POSITIVE_INFINITY });
  }

  /** `min` to `max` characters. */
  string(min: number, max: number): Node {
    return this.quoted(this.#nodes.repeat(this.#character, min, max));
  }

  quoted(content: Node): Node {
    return this.#nodes.sequence(this.#nodes.text('"'), content, this.#nodes.text('"'));
  }

  array({ first, others, min, max }: ArrayForm): Node {
    const nodes = this.#nodes;
    // What may follow when `written` items have been written.
    const after = (written: number): Node =>
      nodes.choice(
        written >= min ? nodes.empty : nodes.never,
        written < max ? nodes.sequence(this.#comma, items[written] ?? nodes.never) : nodes.never,
      );
    const items: Node[] = [];
    const count = first.length;
    const other = others ?? nodes.never;
    const more = nodes.repeat(
      nodes.sequence(this.#comma, other),
      Math.max(0, min - count - 1),
      Math.max(0, max - count - 1),
    );
    items[count] = nodes.sequence(other, more);
    for (let i = count - 1; i >= 0; i--) items[i] = nodes.sequence(first[i]!, after(i + 1));
    const content = nodes.choice(min === 0 ? nodes.empty : nodes.never, max > 0 ? items[0]! : nodes.never);
    return this.#enclosed("[", content, "]");
  }

  object({ members, others, min, max }: ObjectForm): Node {
    const nodes = this.#nodes;
    const lastRequired = members.findLastIndex(({ required }) => required);
    const other = others && nodes.sequence(this.#otherName(members), this.#colon, others);
    // Above this, the number of written members makes no difference.
    const enough = max === Number.POSITIVE_INFINITY ? min : max;
    const rules = new Map<string, Rule>();
    const mayEnd = (from: number, written: number) => from > lastRequired && written >= min;
    const after = (from: number, written: number): Node =>
      nodes.choice(
        mayEnd(from, written) ? nodes.empty : nodes.never,
        written < max ? nodes.sequence(this.#comma, more(from, written)) : nodes.never,
      );
    const more = (from: number, written: number): Node => {
      const count = Math.min(written, enough);
      const known = rules.get(`${from} ${count}`);
      if (known) return nodes.ref(known);
      const rule = nodes.rule("the members of an object");
      rules.set(`${from} ${count}`, rule);
      rule.body = unfold(from, count);
      return nodes.ref(rule);
    };
    const unfold = (from: number, written: number): Node => {
      const member = members[from];
      if (member) {
        const key = nodes.text(JSON.stringify(member.name));
        const taken = nodes.sequence(key, this.#colon, member.value, after(from + 1, written + 1));
        return member.required ? taken : nodes.choice(taken, more(from + 1, written));
      }
      // Two other members may have the same name, and count as one then.
      if (other === null || written + 1 < min) return nodes.never;
      return nodes.sequence(other, nodes.repeat(nodes.sequence(this.#comma, other), 0, max - written - 1));
    };
    const content = nodes.choice(
      mayEnd(0, 0) ? nodes.empty : nodes.never,
      max > 0 ? more(0, 0) : nodes.never,
    );
    return this.#enclosed("{", content, "}");
  }

  #enclosed(open: string, content: Node, close: string): Node {
    const nodes = this.#nodes;
    return nodes.sequence(nodes.text(open), this.#gap, content, this.#gap, nodes.text(close));
  }

  /** A string that is none of the members' names: since each text has one spelling, no member comes twice. */
  #otherName(members: readonly Member[]): Node {
    interface Letters {
      next: Map<number, Letters>;
      isName: boolean;
    }
    const letters = (): Letters => ({ next: new Map(), isName: false });
    const root = letters();
    for (const { name } of members) {
      let at = root;
      for (const character of name) {
        const point = character.codePointAt(0)!;
        if (!at.next.has(point)) at.next.set(point, letters());
        at = at.next.get(point)!;
      }
      at.isName = true;
    }
    const nodes = this.#nodes;
    const rest = nodes.repeat(this.#character, 0, Number.POSITIVE_INFINITY);
    const other = ({ next, isName }: Letters): Node => {
      const points = [...next.keys()].map((point): Range => [point, point]);
      return nodes.choice(
        isName ? nodes.never : nodes.empty,
        nodes.sequence(this.spelling(complement(points)), rest),
        ...[...next].map(([point, inner]) => nodes.sequence(this.spelling([[point, point]]), other(inner))),
      );
    };
    return this.quoted(other(root));
  }
}
