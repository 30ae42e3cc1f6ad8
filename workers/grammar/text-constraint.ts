import type { Constraint } from "../engine/constraint.js";
import type { State } from "./automaton/state.js";
import { GrammarError } from "./nodes/error.js";
import type { Program } from "./program.js";

/** Holds one sequence's text to a grammar. */
export class TextConstraint implements Constraint {
  readonly #program: Program;
  readonly #eosIds: readonly number[];
  #state: State;
  #first = true;

  /** @param eosIds tokens that end the sequence */
  constructor(program: Program, eosIds: readonly number[]) {
    this.#program = program;
    this.#eosIds = eosIds;
    this.#state = program.automaton.start;
  }

  /**
   * The result must not be written to: other sequences have the same.
   * @throws GrammarError if there is too much to find out, or no token to go on with
   */
  allowed(): Int32Array {
    const mask = this.#withEnd(this.#program.allowed(this.#state, this.#first));
    if (isEmpty(mask) && !this.#state.accepts)
      throw new GrammarError(
        "expected a grammar that the model's tokens can follow, got one that none goes on with",
      );
    return mask;
  }

  accept(token: number): void {
    if (this.#eosIds.includes(token)) return;
    const { automaton, vocabulary } = this.#program;
    const bytes = vocabulary.bytes(token, this.#first);
    let state: State | null = this.#state;
    for (const byte of bytes) {
      state = automaton.step(state, byte);
      if (state === null) throw new Error(`expected a token that the grammar allows, got ${token}`);
    }
    this.#state = state;
    if (bytes.length > 0) this.#first = false;
  }

  get complete(): boolean {
    const { accepts, rests } = this.#state;
    if (!accepts) return false;
    if (rests.length === 0) return true;
    return !this.#program.vocabulary.complete && isEmpty(this.#program.allowed(this.#state, this.#first));
  }

  /** End-of-sequence tokens end the text, even if the grammar would allow a token's own text. */
  #withEnd(mask: Int32Array): Int32Array {
    let changed: Int32Array | null = null;
    for (const eosId of this.#eosIds) {
      const bit = 1 << (eosId & 31);
      if (((mask[eosId >> 5]! & bit) !== 0) === this.#state.accepts) continue;
      changed ??= mask.slice();
      changed[eosId >> 5]! ^= bit;
    }
    return changed ?? mask;
  }
}

function isEmpty(mask: Int32Array): boolean {
  return mask.every((word) => word === 0);
}
