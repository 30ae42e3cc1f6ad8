import { Automaton } from "./automaton/automaton.js";
import type { State, Walk } from "./automaton/state.js";
import type { Vocabulary } from "./automaton/vocabulary.js";
import type { Form } from "./compiled.js";

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

  /** @throws GrammarError if it begins in too many ways at once */
  constructor({ nodes, root, classes }: Form, vocabulary: Vocabulary) {
    this.vocabulary = vocabulary;
    this.automaton = new Automaton(root, classes);
    this.#fixedBytes = BYTES_PER_NODE * nodes.length;
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

  /** Whether tokens can spell any of its texts. */
  canBegin(): boolean {
    if (this.vocabulary.complete) return true;
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
