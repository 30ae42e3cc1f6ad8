import { shown } from "../../models/files/fields.js";
import { Automaton } from "./automaton/automaton.js";
import type { State, Walk } from "./automaton/state.js";
import type { Vocabulary } from "./automaton/vocabulary.js";
import { parseEbnf } from "./languages/ebnf.js";
import { Json } from "./languages/json.js";
import { parseRegex } from "./languages/regex.js";
import { parseSchema } from "./languages/schema.js";
import { analyse } from "./nodes/analyse.js";
import { characters } from "./nodes/code-points.js";
import { GrammarError } from "./nodes/error.js";
import { type Node, Nodes } from "./nodes/node.js";
import type { GrammarSource } from "./source.js";

/** Longest source, in UTF-16 units. It bounds all that is made of the source. */
const MAX_SOURCE = 32_768;
/** Cap on the memory of one grammar's states. Past it they are forgotten, and found anew. */
const MAX_BYTES = 4 << 20;
const BYTES_PER_NODE = 200;
/** Cap on the walks over the vocabulary to find whether a text can end. Past it, the text counts as one that can. */
const MAX_SEARCH = 100;

/** A grammar compiled for a vocabulary; serves any number of sequences. */
export class Program {
  readonly automaton: Automaton;
  readonly vocabulary: Vocabulary;
  readonly #fixedBytes: number;

  /** @throws GrammarError */
  constructor(source: GrammarSource, vocabulary: Vocabulary) {
    const text = textOf(source);
    if (text.length > MAX_SOURCE)
      throw new GrammarError(`expected a grammar of at most ${MAX_SOURCE} characters, got ${text.length}`);
    const nodes = new Nodes();
    const root = shallow(() => parse(nodes, source));
    analyse(nodes, root);
    this.vocabulary = vocabulary;
    this.automaton = new Automaton(nodes.all, root);
    this.#fixedBytes = BYTES_PER_NODE * nodes.all.length + 2 * text.length;
    if (!vocabulary.complete && !this.#canBegin())
      throw new GrammarError(
        "expected a grammar whose texts the model's tokens can spell, got one that they can't",
      );
  }

  /** About how much memory it takes. */
  get bytes(): number {
    return this.#fixedBytes + this.automaton.bytes;
  }

  /**
   * A bit for each token that may come next.
   * @param first whether no token has come yet
   * @throws GrammarError if there is too much to find out
   */
  allowed(state: State, first: boolean): Int32Array {
    const isFirst = first && this.vocabulary.firstDiffers;
    const walk = this.#walk(state, isFirst);
    if (this.vocabulary.complete) return walk.mask;
    const dead = walk.states.filter((next) => !this.#canEnd(next));
    return dead.length === 0 ? walk.mask : this.#walk(state, isFirst, new Set(dead)).mask;
  }

  #walk(state: State, first: boolean, dead?: ReadonlySet<State>): Walk {
    const kind = first ? (dead ? "firstLive" : "first") : dead ? "laterLive" : "later";
    const known = state.walks[kind];
    if (known) return known;
    if (this.automaton.bytes > MAX_BYTES) this.automaton.forget();
    const walk = this.vocabulary.walk(this.automaton, state, first, dead);
    state.walks[kind] = walk;
    this.automaton.grow(4 * walk.mask.length + 8 * walk.states.length + 200);
    return walk;
  }

  #canBegin(): boolean {
    const { start } = this.automaton;
    const { states } = this.#walk(start, this.vocabulary.firstDiffers);
    return start.accepts || states.some((state) => this.#canEnd(state));
  }

  /**
   * Whether tokens lead from a state to an end. Where tokens are words, a grammar can allow bytes that no token goes
   * on with. Tries the shortest way first.
   */
  #canEnd(start: State): boolean {
    if (start.accepts) return true;
    if (start.live !== undefined) return start.live;
    const reachedFrom = new Map<State, State | null>([[start, null]]);
    const waiting = [start];
    for (let walks = 0; walks < MAX_SEARCH; walks++) {
      waiting.sort((a, b) => b.least - a.least);
      const state = waiting.pop();
      if (!state) {
        // All reachable states were visited, and none leads to an end.
        for (const reached of reachedFrom.keys()) reached.live = false;
        return false;
      }
      for (const next of this.#walk(state, false).states) {
        if (next.accepts || next.live === true) {
          for (let from: State | null | undefined = state; from; from = reachedFrom.get(from))
            from.live = true;
          return true;
        }
        if (next.live === false || reachedFrom.has(next)) continue;
        reachedFrom.set(next, state);
        waiting.push(next);
      }
    }
    return true;
  }
}

function textOf(source: GrammarSource): string {
  switch (source.type) {
    case "json_object":
      return "";
    case "json_schema":
      return source.schema;
    case "regex":
      return source.pattern;
    case "grammar":
      return source.ebnf;
    default:
      throw new GrammarError(
        `expected a grammar of type json_object, json_schema, regex or grammar, got ${shown(source)}`,
      );
  }
}

function parse(nodes: Nodes, source: GrammarSource): Node {
  switch (source.type) {
    case "json_object":
      return new Json(nodes).anyObject();
    case "json_schema":
      return parseSchema(nodes, source.schema);
    case "regex":
      return parseRegex(nodes, source.pattern, {
        search: false,
        spelling: (ranges) => characters(nodes, ranges),
      });
    case "grammar":
      return parseEbnf(nodes, source.ebnf);
  }
}

/** Parsing is recursive; a source that nests so deep that the stack ends is refused like any other. */
function shallow<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof RangeError)
      throw new GrammarError("expected a grammar with less nesting, got one that is nested too deeply");
    throw error;
  }
}
