import type { Tokenizer } from "../../models/tokenizer/tokenizer.js";
import type { Constraint } from "../engine/constraint.js";
import { rehearse } from "./automaton/rehearse.js";
import { Vocabulary } from "./automaton/vocabulary.js";
import { GrammarError } from "./nodes/error.js";
import { Program } from "./program.js";
import type { GrammarSource } from "./source.js";
import { TextConstraint } from "./text-constraint.js";

export interface ProgramsOptions {
  /** Grammars kept at most. */
  count?: number;
  /** About how much memory they may take, in bytes. */
  bytes?: number;
}

/** The grammars that were compiled for a tokenizer: the last used ones are kept. */
export class Programs {
  readonly #vocabulary: Vocabulary;
  readonly #count: number;
  readonly #bytes: number;
  /** From the least to the most recently used. A grammar that was refused is kept as its error. */
  readonly #kept = new Map<string, Program | GrammarError>();
  readonly #rehearsed = new WeakSet<Program>();

  /** @param size how many logits the model has */
  constructor(tokenizer: Tokenizer, size: number, { count = 64, bytes = 64 << 20 }: ProgramsOptions = {}) {
    this.#vocabulary = new Vocabulary(tokenizer, size);
    this.#count = count;
    this.#bytes = bytes;
  }

  /** How many grammars are kept. */
  get size(): number {
    return this.#kept.size;
  }

  /** About how much memory they take. */
  get bytes(): number {
    let sum = 0;
    for (const [key, kept] of this.#kept)
      sum += 2 * key.length + (kept instanceof Program ? kept.bytes : 500);
    return sum;
  }

  /** @throws GrammarError */
  constraint(source: GrammarSource, eosId: number | null): Constraint {
    return new TextConstraint(this.#program(source), eosId);
  }

  /** @throws GrammarError */
  check(source: GrammarSource): void {
    const program = this.#program(source);
    if (this.#rehearsed.has(program)) return;
    this.#rehearsed.add(program);
    const outcome = attempt(() => {
      rehearse(program.automaton);
      // The first token's mask may already be too much work.
      program.allowed(program.automaton.start, true);
      return program;
    });
    // It has grown meanwhile, or is refused from now on.
    this.#keep(JSON.stringify(source), outcome);
    if (outcome instanceof GrammarError) throw outcome;
  }

  #program(source: GrammarSource): Program {
    const key = JSON.stringify(source);
    const kept = this.#kept.get(key) ?? attempt(() => new Program(source, this.#vocabulary));
    this.#keep(key, kept);
    if (kept instanceof GrammarError) throw kept;
    return kept;
  }

  #keep(key: string, entry: Program | GrammarError): void {
    this.#kept.delete(key);
    this.#kept.set(key, entry);
    for (const oldest of this.#kept.keys()) {
      if (oldest === key || (this.#kept.size <= this.#count && this.bytes <= this.#bytes)) break;
      this.#kept.delete(oldest);
    }
  }
}

function attempt(make: () => Program): Program | GrammarError {
  try {
    return make();
  } catch (error) {
    if (error instanceof GrammarError) return error;
    throw error;
  }
}
