import { GrammarError } from "./error.js";
import type { Node, Nodes, Rule } from "./node.js";

/** Cap on the shortest text, in bytes. No model's context holds more. */
const MAX_LEAST = 65_536;

/**
 * Sets every node's `least`. Refuses a grammar that no text matches, whose texts are all too long, or that has left
 * recursion.
 * @throws GrammarError
 */
export function analyse(nodes: Nodes, root: Node): void {
  setLeast(nodes);
  if (root.least === Number.POSITIVE_INFINITY)
    throw new GrammarError("expected a grammar that some text satisfies, got one that none does");
  if (root.least > MAX_LEAST)
    throw new GrammarError(
      `expected a grammar that a text of at most ${MAX_LEAST} bytes satisfies, got one whose shortest text has ${root.least}`,
    );
  refuseLeftRecursion(nodes);
}

/** Goes from each node to those that hold it, until nothing gets shorter. */
function setLeast(nodes: Nodes): void {
  const holders = new Map<Node, Node[]>();
  const bodies = new Map<Node, Node[]>();
  const add = (map: Map<Node, Node[]>, inner: Node, outer: Node) => {
    const known = map.get(inner);
    if (known) known.push(outer);
    else map.set(inner, [outer]);
  };
  for (const node of nodes.all) {
    if (node.kind === "sequence") {
      add(holders, node.first, node);
      add(holders, node.rest, node);
    } else if (node.kind === "choice") for (const option of node.options) add(holders, option, node);
    else if (node.kind === "repeat") add(holders, node.node, node);
    else if (node.kind === "rule" && node.rule.body) add(bodies, node.rule.body, node);
  }
  const waiting = [...nodes.all];
  const bound = 20 * nodes.all.length;
  for (let i = 0; i < waiting.length; i++) {
    if (i > bound)
      throw new GrammarError("expected a simpler grammar, got one whose rules refer to each other too much");
    const node = waiting[i]!;
    const least = leastOf(node);
    if (least >= node.least) continue;
    node.least = least;
    waiting.push(...(holders.get(node) ?? []), ...(bodies.get(node) ?? []));
  }
}

function leastOf(node: Node): number {
  switch (node.kind) {
    case "empty":
      return 0;
    case "bytes":
      return 1;
    case "sequence":
      return node.first.least + node.rest.least;
    case "choice":
      return node.options.reduce((least, option) => Math.min(least, option.least), Number.POSITIVE_INFINITY);
    case "repeat":
      return node.min === 0 ? 0 : node.min * node.node.least;
    case "rule":
      return node.rule.body?.least ?? Number.POSITIVE_INFINITY;
  }
}

/**
 * Refuses a rule that can begin with itself and has something after that: what is to follow would grow without a byte
 * read. A rule that can be itself and nothing more is harmless.
 */
function refuseLeftRecursion(nodes: Nodes): void {
  const followed = new Map<Rule, Set<Rule>>();
  const all = new Map<Rule, Set<Rule>>();
  for (const rule of nodes.rules) {
    followed.set(rule, new Set());
    all.set(rule, new Set());
    if (rule.body)
      for (const [inner, isFollowed] of firstRules(rule.body)) {
        all.get(rule)!.add(inner);
        if (isFollowed) followed.get(rule)!.add(inner);
      }
  }
  const component = components(nodes.rules, all);
  for (const [rule, inners] of followed)
    for (const inner of inners)
      if (component.get(rule) === component.get(inner))
        throw new GrammarError(
          `expected no rule that begins with itself, got ${rule.name}; write it so that something comes first, or with * or +`,
        );
}

/** The rules that a node can begin with, and whether something follows each within the node. */
function firstRules(body: Node): [Rule, boolean][] {
  const found: [Rule, boolean][] = [];
  const seen = [new Set<Node>(), new Set<Node>()];
  const waiting: [Node, boolean][] = [[body, false]];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const [node, isFollowed] = next;
    const visited = seen[Number(isFollowed)]!;
    if (visited.has(node)) continue;
    visited.add(node);
    if (node.kind === "rule") found.push([node.rule, isFollowed]);
    else if (node.kind === "choice") for (const option of node.options) waiting.push([option, isFollowed]);
    else if (node.kind === "repeat") waiting.push([node.node, true]);
    else if (node.kind === "sequence") {
      waiting.push([node.first, true]);
      if (node.first.least === 0) waiting.push([node.rest, isFollowed]);
    }
  }
  return found;
}

/**
 * Numbers the rules so that those that reach each other have the same number (Tarjan's algorithm, without recursion).
 */
function components(rules: readonly Rule[], edges: ReadonlyMap<Rule, ReadonlySet<Rule>>): Map<Rule, number> {
  const order = new Map<Rule, number>();
  const low = new Map<Rule, number>();
  const result = new Map<Rule, number>();
  const open: Rule[] = [];
  for (const start of rules) {
    if (order.has(start)) continue;
    const path: { rule: Rule; left: Iterator<Rule> }[] = [];
    const enter = (rule: Rule) => {
      order.set(rule, order.size);
      low.set(rule, order.get(rule)!);
      open.push(rule);
      path.push({ rule, left: (edges.get(rule) ?? new Set<Rule>()).values() });
    };
    enter(start);
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const { rule, left } = top;
      const next = left.next();
      if (!next.done) {
        const inner = next.value;
        if (!order.has(inner)) enter(inner);
        else if (!result.has(inner)) low.set(rule, Math.min(low.get(rule)!, order.get(inner)!));
        continue;
      }
      path.pop();
      const outer = path.at(-1);
      if (outer) low.set(outer.rule, Math.min(low.get(outer.rule)!, low.get(rule)!));
      if (low.get(rule) !== order.get(rule)) continue;
      for (let member = open.pop(); member; member = open.pop()) {
        result.set(member, order.get(rule)!);
        if (member === rule) break;
      }
    }
  }
  return result;
}
