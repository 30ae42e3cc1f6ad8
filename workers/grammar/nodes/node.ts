import { GrammarError } from "./error.js";

/** A rule's name and what it stands for, which may be set after the first reference to it. */
export interface Rule {
  name: string;
  body: Node | null;
}

/** A form of text, as bytes of UTF-8. Equal nodes of one `Nodes` are the same object. */
export type Node = NodeForm & {
  id: number;
  /** The bytes of the shortest text of this form; infinite where no text has it. Set by `analyse`. */
  least: number;
};

type NodeForm =
  | { kind: "empty" }
  | { kind: "bytes"; set: ByteSet }
  | { kind: "sequence"; first: Node; rest: Node }
  | { kind: "choice"; options: readonly Node[] }
  | { kind: "repeat"; node: Node; min: number; max: number }
  | { kind: "rule"; rule: Rule };

/** A bit for each byte. */
export type ByteSet = Uint32Array;

export function hasByte(set: ByteSet, byte: number): boolean {
  return ((set[byte >> 5]! >>> (byte & 31)) & 1) === 1;
}

/** Cap on the nodes that a grammar asks for, known ones included. */
const MAX_WORK = 30_000;

/** Makes the nodes of one grammar. */
export class Nodes {
  readonly all: Node[] = [];
  readonly rules: Rule[] = [];
  readonly #known = new Map<string, Node>();
  readonly #refs = new Map<Rule, Node>();
  readonly #single: Node[] = [];
  #work = 0;
  readonly empty = this.#node("", { kind: "empty" });
  /** Matches no text. */
  readonly never = this.#node("|", { kind: "choice", options: [] });

  /** One byte out of the ranges, ends included. */
  bytes(...ranges: readonly (readonly [first: number, last: number])[]): Node {
    const set: ByteSet = new Uint32Array(8);
    for (const [first, last] of ranges)
      for (let byte = first; byte <= last; byte++) set[byte >> 5]! |= 1 << (byte & 31);
    return this.#byteSet(set);
  }

  text(text: string): Node {
    return this.sequence(...Array.from(Buffer.from(text, "utf8"), (byte) => this.#byte(byte)));
  }

  /** Any one of the texts. */
  texts(texts: readonly string[]): Node {
    const sorted = texts.map((text) => Buffer.from(text, "utf8")).sort(Buffer.compare);
    return this.#tree(sorted, 0, sorted.length, 0);
  }

  /** A tree of the texts from `start` to `end`, which are equal up to `depth`, from there on. */
  #tree(sorted: readonly Buffer[], start: number, end: number, depth: number): Node {
    if (end - start === 1)
      return this.sequence(...Array.from(sorted[start]!.subarray(depth), (byte) => this.#byte(byte)));
    const options: Node[] = [];
    let at = start;
    // Equal ones, and those that end here, come first.
    for (; at < end && sorted[at]!.length === depth; at++) if (at === start) options.push(this.empty);
    while (at < end) {
      const from = at;
      const byte = sorted[from]![depth]!;
      while (at < end && sorted[at]![depth] === byte) at++;
      options.push(this.#pair(this.#byte(byte), this.#tree(sorted, from, at, depth + 1)));
    }
    return this.#chosen(options);
  }

  sequence(...nodes: readonly Node[]): Node {
    let result = this.empty;
    for (let i = nodes.length - 1; i >= 0; i--) result = this.#pair(nodes[i]!, result);
    return result;
  }

  /**
   * Options that begin alike share their beginning, so that a thousand words are a tree of letters rather than a
   * thousand possibilities at once.
   */
  choice(...nodes: readonly Node[]): Node {
    if (nodes.length === 1) return nodes[0]!;
    const options = nodes.flatMap((node) => (node.kind === "choice" ? node.options : node));
    const byFirst = new Map<Node, Set<Node>>();
    for (const node of options) {
      const first = node.kind === "sequence" ? node.first : node;
      const rests = byFirst.get(first) ?? new Set();
      byFirst.set(first, rests.add(node.kind === "sequence" ? node.rest : this.empty));
    }
    const byRest = new Map<Node, Node[]>();
    for (const [first, rests] of byFirst) {
      const rest = rests.size === 1 ? [...rests][0]! : this.choice(...rests);
      byRest.set(rest, [...(byRest.get(rest) ?? []), first]);
    }
    const merged = [...byRest].flatMap(([rest, firsts]) =>
      this.#united(firsts).map((first) => this.#pair(first, rest)),
    );
    return this.#chosen(merged);
  }

  #chosen(options: readonly Node[]): Node {
    if (options.length === 1) return options[0]!;
    if (options.length === 0) return this.never;
    return this.#node(`|${options.map(({ id }) => id)}`, { kind: "choice", options });
  }

  /** `max` may be infinite. */
  repeat(node: Node, min: number, max: number): Node {
    if (max < min) return this.never;
    if (max === 0 || node === this.empty) return this.empty;
    if (min === 1 && max === 1) return node;
    return this.#node(`*${node.id} ${min} ${max}`, { kind: "repeat", node, min, max });
  }

  optional(node: Node): Node {
    return this.choice(this.empty, node);
  }

  rule(name: string): Rule {
    const rule: Rule = { name, body: null };
    this.rules.push(rule);
    return rule;
  }

  ref(rule: Rule): Node {
    const known = this.#refs.get(rule) ?? this.#node(`@${this.#refs.size}`, { kind: "rule", rule });
    this.#refs.set(rule, known);
    return known;
  }

  /** Joins sets of bytes into one. The other nodes stay as they are. */
  #united(nodes: readonly Node[]): Node[] {
    const sets = nodes.filter((node) => node.kind === "bytes");
    if (sets.length < 2) return [...nodes];
    const all: ByteSet = new Uint32Array(8);
    for (const { set } of sets) for (let i = 0; i < 8; i++) all[i]! |= set[i]!;
    return [this.#byteSet(all), ...nodes.filter((node) => node.kind !== "bytes")];
  }

  #byte(byte: number): Node {
    this.#single[byte] ??= this.bytes([byte, byte]);
    return this.#single[byte];
  }

  #byteSet(set: ByteSet): Node {
    return set.some((word) => word !== 0) ? this.#node(`.${set}`, { kind: "bytes", set }) : this.never;
  }

  #pair(first: Node, rest: Node): Node {
    if (first === this.never || rest === this.never) return this.never;
    if (first === this.empty) return rest;
    if (rest === this.empty) return first;
    if (first.kind === "sequence") {
      // Nested to the right, so that equal beginnings are found.
      const parts: Node[] = [];
      let part: Node = first;
      for (; part.kind === "sequence"; part = part.rest) parts.push(part.first);
      return this.sequence(...parts, part, rest);
    }
    return this.#node(`&${first.id} ${rest.id}`, { kind: "sequence", first, rest });
  }

  #node(key: string, form: NodeForm): Node {
    this.#work += 1 + (form.kind === "choice" ? form.options.length / 4 : 0);
    if (this.#work > MAX_WORK)
      throw new GrammarError("expected a smaller grammar, got one that is too large");
    const known = this.#known.get(key);
    if (known) return known;
    const node = { ...form, id: this.all.length, least: Number.POSITIVE_INFINITY };
    this.#known.set(key, node);
    this.all.push(node);
    return node;
  }
}
