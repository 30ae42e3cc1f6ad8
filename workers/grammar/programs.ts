import type { Tokenizer } from "../../models/tokenizer/tokenizer.js";
import type { Constraint } from "../engine/constraint.js";
import { Vocabulary } from "./automaton/vocabulary.js";
import { type CompiledForm, decode } from "./compiled.js";
import { Program } from "./program.js";
import { TextConstraint } from "./text-constraint.js";

export interface ProgramsOptions {
  /** Forms kept at most. */
  count?: number;
  /** About how much memory they may take, in bytes. */
  bytes?: number;
}

/** The forms that a model's sequences are held to: the last used ones are kept, with all that was found out of them. */
export class Programs {
  readonly #tokenizer: Tokenizer;
  readonly #size: number;
  readonly #count: number;
  readonly #bytes: number;
  /** Made when the first form comes. */
  #vocabulary: Vocabulary | null = null;
  /** By the form's id, from the least to the most recently used. */
  readonly #kept = new Map<number, Program>();

  /** @param size how many logits the model has */
  constructor(tokenizer: Tokenizer, size: number, { count = 64, bytes = 64 << 20 }: ProgramsOptions = {}) {
    this.#tokenizer = tokenizer;
    this.#size = size;
    this.#count = count;
    this.#bytes = bytes;
  }

  /** How many forms are kept. */
  get size(): number {
    return this.#kept.size;
  }

  /** About how much memory they take. */
  get bytes(): number {
    let sum = 0;
    for (const program of this.#kept.values()) sum += program.bytes;
    return sum;
  }

  /**
   * Holds one sequence to a form.
   * @param eosIds tokens that end the sequence
   */
  constraint({ id, numbers }: CompiledForm, eosIds: readonly number[]): Constraint {
    this.#vocabulary ??= new Vocabulary(this.#tokenizer, this.#size);
    const program = this.#kept.get(id) ?? new Program(decode(numbers), this.#vocabulary);
    this.#kept.delete(id);
    this.#kept.set(id, program);
    for (const oldest of this.#kept.keys()) {
      if (oldest === id || (this.#kept.size <= this.#count && this.bytes <= this.#bytes)) break;
      this.#kept.delete(oldest);
    }
    return new TextConstraint(program, eosIds);
  }
}
