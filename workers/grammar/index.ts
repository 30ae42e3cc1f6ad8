import type { Tokenizer } from "../../models/tokenizer/tokenizer.js";
import type { Constraint } from "../engine/constraint.js";
import { Programs } from "./programs.js";
import type { GrammarSource } from "./source.js";

export { GrammarError } from "./nodes/error.js";

/** What a grammar needs to know of the model. */
export interface GrammarModel {
  tokenizer: Tokenizer;
  /** How many logits it has. */
  vocabulary: number;
}

/** By tokenizer; made when the first grammar comes. */
const made = new WeakMap<Tokenizer, Programs>();

/**
 * Compiles a grammar, or finds it compiled, for one sequence.
 * @param eosId null where the end-of-sequence token doesn't end the sequence
 * @throws GrammarError if it is wrong, not supported, or too large
 */
export function constraintFor(source: GrammarSource, model: GrammarModel, eosId: number | null): Constraint {
  return programsOf(model).constraint(source, eosId);
}

/**
 * Checks, before a request is queued, whether its grammar can be followed.
 * @throws GrammarError with the reason in one line, if not
 */
export function checkGrammar(source: GrammarSource, model: GrammarModel): void {
  programsOf(model).check(source);
}

function programsOf({ tokenizer, vocabulary }: GrammarModel): Programs {
  const programs = made.get(tokenizer) ?? new Programs(tokenizer, vocabulary);
  made.set(tokenizer, programs);
  return programs;
}
