import type { Tokenizer } from "../../models/tokenizer/tokenizer.js";
import type { Constraint } from "../engine/constraint.js";

export interface Wandering {
  ids: number[];
  text: string;
  /** The text is whole, rather than cut off. */
  finished: boolean;
}

/**
 * Writes as a model that knows nothing: any allowed token is as likely as any other, except that it now and then reaches
 * for what could bring it to an end, since it would write within its first string for ever.
 */
export class Wanderer {
  readonly #tokenizer: Tokenizer;
  readonly #eosId: number | null;
  readonly #random: () => number;
  readonly #enders: Set<number>;

  /** @param random numbers in [0, 1) */
  constructor(tokenizer: Tokenizer, eosId: number | null, random: () => number) {
    this.#tokenizer = tokenizer;
    this.#eosId = eosId;
    this.#random = random;
    const all = Array.from({ length: tokenizer.size }, (_, id) => id);
    const text = (id: number) => Buffer.from(tokenizer.tokenBytes(id, false).bytes ?? []).toString("latin1");
    this.#enders = new Set(all.filter((id) => id === eosId || /^["}\],\d]+$/.test(text(id))));
  }

  write(constraint: Constraint, maxTokens: number): Wandering {
    const ids: number[] = [];
    for (;;) {
      const tokens = allowedTokens(constraint);
      const ends = this.#random() < 0.4 ? tokens.filter((token) => this.#enders.has(token)) : [];
      const choices = ends.length > 0 ? ends : tokens;
      const token = choices[Math.floor(this.#random() * choices.length)]!;
      const ended = token === this.#eosId;
      if (!ended) {
        ids.push(token);
        constraint.accept(token);
      }
      if (ended || constraint.complete || ids.length === maxTokens)
        return { ids, text: this.#tokenizer.decode(ids), finished: ended || constraint.complete };
    }
  }
}

export function allowedTokens(constraint: Constraint): number[] {
  const mask = constraint.allowed();
  const tokens: number[] = [];
  for (const [i, word] of mask.entries())
    for (let left = word; left !== 0; left &= left - 1) tokens.push(32 * i + 31 - Math.clz32(left & -left));
  return tokens;
}
