import type { Node } from "./nodes/node.js";

/** A grammar that was parsed and analysed. */
export interface Form {
  /** All of the grammar, each node after those that it holds; only a rule's body may come later. */
  nodes: readonly Node[];
  root: Node;
  /** By byte its class: bytes that no set of the grammar tells apart are one. */
  classes: Uint8Array;
}

/**
 * A form as numbers in memory that threads share: to send it copies nothing, and to read it takes a small part of the
 * time that it takes to parse the source.
 */
export type FormNumbers = Float64Array<SharedArrayBuffer>;

/** A form that was checked, for the threads that hold texts to it. */
export interface CompiledForm {
  /** Tells it from the other forms of the server. */
  id: number;
  numbers: FormNumbers;
}

const kinds = ["empty", "bytes", "sequence", "choice", "repeat", "rule"] as const;
const WORDS_OF_SET = 8;
const NO_BODY = -1;

export function encode({ nodes, root, classes }: Form): FormNumbers {
  const numbers: number[] = [...classes, root.id, nodes.length];
  for (const node of nodes) {
    numbers.push(kinds.indexOf(node.kind), node.least);
    if (node.kind === "bytes") numbers.push(...node.set);
    else if (node.kind === "sequence") numbers.push(node.first.id, node.rest.id);
    else if (node.kind === "repeat") numbers.push(node.node.id, node.min, node.max);
    else if (node.kind === "rule") numbers.push(node.rule.body?.id ?? NO_BODY);
    else if (node.kind === "choice") {
      numbers.push(node.options.length);
      for (const { id } of node.options) numbers.push(id);
    }
  }
  const shared = new Float64Array(new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT * numbers.length));
  shared.set(numbers);
  return shared;
}

/** The form again. Its rules have no names, which only a refusal tells. */
export function decode(numbers: FormNumbers): Form {
  let at = 256;
  const next = () => numbers[at++]!;
  const root = next();
  const nodes: Node[] = new Array(next());
  const node = () => nodes[next()]!;
  const bodies: [rule: Node & { kind: "rule" }, body: number][] = [];
  for (let id = 0; id < nodes.length; id++) {
    const kind = kinds[next()]!;
    const least = next();
    if (kind === "empty") nodes[id] = { kind, id, least };
    else if (kind === "bytes") {
      const set = Uint32Array.from(numbers.subarray(at, at + WORDS_OF_SET));
      at += WORDS_OF_SET;
      nodes[id] = { kind, set, id, least };
    } else if (kind === "sequence") nodes[id] = { kind, first: node(), rest: node(), id, least };
    else if (kind === "choice") {
      const options: Node[] = new Array(next());
      for (let i = 0; i < options.length; i++) options[i] = node();
      nodes[id] = { kind, options, id, least };
    } else if (kind === "repeat") nodes[id] = { kind, node: node(), min: next(), max: next(), id, least };
    else {
      const rule = { kind, rule: { name: "", body: null }, id, least };
      nodes[id] = rule;
      bodies.push([rule, next()]);
    }
  }
  for (const [{ rule }, body] of bodies) if (body !== NO_BODY) rule.body = nodes[body]!;
  return { nodes, root: nodes[root]!, classes: Uint8Array.from(numbers.subarray(0, 256)) };
}
