import { GrammarError } from "../nodes/error.js";
import { hasByte, type Node } from "../nodes/node.js";
import type { Heads, Rest, State } from "./state.js";

/** Cap on the rests of one state: a grammar that needs more is too ambiguous to use. */
const MAX_RESTS = 600;
/** Cap on the rests that are looked at to find what one rest can begin with. */
const MAX_UNFOLDED = 5_000;
/** The same for all rests of one state. A step beyond it is too much for any walk. */
const MAX_UNFOLDED_OF_STATE = 30_000;

const END: Heads = { rests: [], ends: true, unfolded: 0 };

/**
 * A grammar as an automaton over bytes. Its states are sets of what may still come. They are made when they are first
 * reached and then remembered, so that known text costs an array look-up for each byte.
 */
export class Automaton {
  readonly start: State;
  /** Bytes that no set of the grammar tells apart are one class. */
  readonly classes: Uint8Array;
  readonly #bytesOfClass: number[] = [];
  readonly #rests = new Map<string, Rest>();
  readonly #states = new Map<string, State>();
  #restCount = 0;
  /** Estimate of the memory of all that is remembered. */
  #bytes = 0;

  constructor(root: Node, classes: Uint8Array) {
    this.classes = classes;
    for (let byte = 255; byte >= 0; byte--) this.#bytesOfClass[this.classes[byte]!] = byte;
    this.start = this.#stateAfter([this.#one(root, null)]);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Counts the memory of notes on a state. */
  grow(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Forgets all states. Those that somebody still holds go on working. */
  forget(): void {
    this.#rests.clear();
    this.#states.clear();
    this.#bytes = 0;
    const { start } = this;
    start.next.length = 0;
    start.walks = {};
    start.live = undefined;
  }

  /** @throws GrammarError if the grammar turns out too ambiguous */
  step(state: State, byte: number): State | null {
    const kind = this.classes[byte]!;
    const known = state.next[kind];
    return known === undefined ? this.#find(state, kind) : known;
  }

  #find(state: State, kind: number): State | null {
    const byte = this.#bytesOfClass[kind]!;
    const rests = state.rests.filter(({ node }) => node.kind === "bytes" && hasByte(node.set, byte));
    const nexts = rests.map(({ next }) => next);
    const found = nexts.length === 0 ? null : this.#stateAfter(nexts);
    state.next[kind] = found;
    // Counted as if nothing had been remembered. To look at a rest is a fraction of the work of going on from it.
    const unfolded = nexts.reduce((sum, next) => sum + 1 + (next?.heads?.unfolded ?? 0), 0);
    state.work[kind] = unfolded + state.rests.length / 16;
    return found;
  }

  #stateAfter(rests: readonly (Rest | null)[]): State {
    const only = rests.length === 1 ? rests[0] : null;
    if (only) {
      only.state ??= this.#union([this.#heads(only)]);
      return only.state;
    }
    let unfolded = 0;
    return this.#union(
      rests.map((rest) => {
        const heads = rest ? this.#heads(rest) : END;
        unfolded += heads.unfolded;
        if (unfolded > MAX_UNFOLDED_OF_STATE) throw tooAmbiguous();
        return heads;
      }),
    );
  }

  #union(all: readonly Heads[]): State {
    const heads = new Set<Rest>();
    for (const { rests } of all) for (const rest of rests) heads.add(rest);
    if (heads.size > MAX_RESTS) throw tooAmbiguous();
    return this.#state(
      [...heads],
      all.some(({ ends }) => ends),
    );
  }

  /** Unfolds what comes next until all of it begins with a byte. */
  #heads(from: Rest): Heads {
    if (from.heads) return from.heads;
    const heads: Rest[] = [];
    let ends = false;
    const seen = new Set<Rest | null>();
    const waiting: (Rest | null)[] = [from];
    for (let rest = waiting.pop(); rest !== undefined; rest = waiting.pop()) {
      if (seen.has(rest)) continue;
      seen.add(rest);
      if (seen.size > MAX_UNFOLDED || heads.length > MAX_RESTS) throw tooAmbiguous();
      if (rest === null) {
        ends = true;
        continue;
      }
      const { node, min, max, next } = rest;
      if (node.kind === "bytes") heads.push(rest);
      else this.#unfold(node, min, max, next, waiting);
    }
    from.heads = { rests: heads, ends, unfolded: seen.size };
    this.#bytes += 50 + 8 * heads.length;
    return from.heads;
  }

  #unfold(node: Node, min: number, max: number, next: Rest | null, into: (Rest | null)[]): void {
    switch (node.kind) {
      case "choice":
        for (const option of node.options)
          if (option.least < Number.POSITIVE_INFINITY) into.push(this.#one(option, next));
        return;
      case "sequence":
        into.push(this.#one(node.first, this.#one(node.rest, next)));
        return;
      case "rule":
        into.push(this.#one(node.rule.body!, next));
        return;
      case "repeat": {
        if (min === 0) into.push(next);
        if (max === 0 || node.node.least === Number.POSITIVE_INFINITY) return;
        const left = max === 1 ? next : this.#rest(node, Math.max(0, min - 1), max - 1, next);
        into.push(this.#one(node.node, left));
      }
    }
  }

  #one(node: Node, next: Rest | null): Rest | null {
    if (node.kind === "empty") return next;
    return node.kind === "repeat" ? this.#rest(node, node.min, node.max, next) : this.#rest(node, 1, 1, next);
  }

  #rest(node: Node, min: number, max: number, next: Rest | null): Rest {
    const key = `${node.id} ${min} ${max} ${next?.id ?? ""}`;
    const known = this.#rests.get(key);
    if (known) return known;
    const own = node.kind === "repeat" ? (min === 0 ? 0 : min * node.node.least) : node.least;
    const least = own + (next?.least ?? 0);
    const rest: Rest = { id: this.#restCount++, node, min, max, next, least, heads: null, state: null };
    this.#rests.set(key, rest);
    this.#bytes += 200;
    return rest;
  }

  #state(rests: Rest[], accepts: boolean): State {
    rests.sort((a, b) => a.id - b.id);
    const key = `${rests.map(({ id }) => id)}${accepts ? "." : ""}`;
    const known = this.#states.get(key);
    if (known) return known;
    const state: State = {
      rests,
      accepts,
      least: rests.reduce(
        (least, rest) => Math.min(least, rest.least),
        accepts ? 0 : Number.POSITIVE_INFINITY,
      ),
      next: [],
      work: [],
      counted: [],
      walks: {},
      live: undefined,
    };
    this.#states.set(key, state);
    this.#bytes += 300 + key.length + 8 * rests.length + 24 * this.#bytesOfClass.length;
    return state;
  }
}

/** By byte its class. */
export function classesOf(nodes: readonly Node[]): Uint8Array {
  const classes = new Uint8Array(256);
  for (const node of nodes) {
    if (node.kind !== "bytes") continue;
    const parts = new Map<number, number>();
    for (let byte = 0; byte < 256; byte++) {
      const part = 2 * classes[byte]! + Number(hasByte(node.set, byte));
      if (!parts.has(part)) parts.set(part, parts.size);
      classes[byte] = parts.get(part)!;
    }
  }
  return classes;
}

function tooAmbiguous(): GrammarError {
  return new GrammarError(
    "expected a less ambiguous grammar, got one that can be read in too many ways at once",
  );
}
