import { GrammarError } from "./error.js";
import { hasByte, type Node } from "./node.js";
import type { Walk } from "./vocabulary.js";

/** What is still to come: `node`, `min` to `max` times if it is repeated, and then `next`. */
interface Rest {
  id: number;
  node: Node;
  min: number;
  max: number;
  /** Null: the end. */
  next: Rest | null;
  /** As `Node.least`. */
  least: number;
  /** The state in which this alone is to come, once it was asked for. */
  state: Found | null;
}

interface Found {
  state: State;
  work: number;
}

/** After some text: what may come next. */
export interface State {
  /** All that may come, each beginning with a byte. */
  readonly rests: readonly Rest[];
  /** Whether the text may end here. */
  readonly accepts: boolean;
  /** The bytes of the shortest text that ends from here. */
  readonly least: number;
  /** By class of byte; null where such a byte can't come. Those not yet asked for are not there. */
  readonly next: (State | null | undefined)[];
  /** By class of byte, how much work it was to find `next`, and in which walk that was last counted. */
  readonly work: number[];
  readonly counted: number[];
  /** What `Program` finds out about it: the tokens that may come, as a text's first and later, and whether it can end. */
  walks: { first?: Walk; later?: Walk; firstLive?: Walk; laterLive?: Walk };
  live: boolean | undefined;
}

/** At once, in one state: a grammar that needs more is ambiguous beyond use. */
const MAX_RESTS = 600;
/** To find one state's successor. */
const MAX_WORK = 10_000;

/**
 * A grammar as a machine over bytes. Its states are sets of what may still come, found when they are first reached and
 * then remembered, so that text that goes on alike costs an array look-up for each byte.
 */
export class Automaton {
  readonly start: State;
  /** Bytes that no set of the grammar tells apart are one class. */
  readonly classes: Uint8Array;
  readonly #bytesOfClass: number[] = [];
  readonly #rests = new Map<string, Rest>();
  readonly #states = new Map<string, State>();
  #restCount = 0;
  /** Estimate of the memory that what is remembered takes. */
  #bytes = 0;

  /** @param nodes all of the grammar, analysed */
  constructor(nodes: readonly Node[], root: Node) {
    this.classes = classesOf(nodes);
    for (let byte = 255; byte >= 0; byte--) this.#bytesOfClass[this.classes[byte]!] = byte;
    this.start = this.#stateAfter([this.#rest(root, 1, 1, null)]).state;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Counts memory that someone's notes on a state take. */
  grow(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Forgets all states but those that somebody holds. */
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
    const found = rests.length === 0 ? null : this.#stateAfter(rests.map(({ next }) => next));
    state.next[kind] = found?.state ?? null;
    state.work[kind] = (found?.work ?? 0) + state.rests.length;
    return state.next[kind];
  }

  #stateAfter(rests: readonly (Rest | null)[]): Found {
    const only = rests.length === 1 ? rests[0] : null;
    if (!only) return this.#unfolded(rests);
    only.state ??= this.#unfolded(rests);
    return only.state;
  }

  /** Unfolds what comes next until all of it begins with a byte. */
  #unfolded(rests: readonly (Rest | null)[]): Found {
    let accepts = false;
    const heads = new Set<Rest>();
    const seen = new Set<Rest | null>();
    const waiting = [...rests];
    let work = 0;
    for (let rest = waiting.pop(); rest !== undefined; rest = waiting.pop()) {
      if (seen.has(rest)) continue;
      seen.add(rest);
      if (++work > MAX_WORK || heads.size > MAX_RESTS)
        throw new GrammarError(
          "expected a less ambiguous grammar, got one that can be read in too many ways at once",
        );
      if (rest === null) {
        accepts = true;
        continue;
      }
      const { node, min, max, next } = rest;
      if (node.kind === "bytes") heads.add(rest);
      else this.#unfold(node, min, max, next, waiting);
    }
    return { state: this.#state([...heads], accepts), work };
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
    const rest: Rest = { id: this.#restCount++, node, min, max, next, least, state: null };
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

function classesOf(nodes: readonly Node[]): Uint8Array {
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
