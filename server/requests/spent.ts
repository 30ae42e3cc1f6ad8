import type { TokensUsed } from "../keys/caller.js";
import type { Outcome } from "../pool/pool.js";
import type { Draft } from "./operation.js";

/** Counts the tokens that the sequences of a generation have used. */
export class Spent {
  readonly #prompts: readonly Draft["promptIds"][];
  /** By sequence, how much of its prompt was read, and how many tokens it wrote. */
  readonly #read: number[];
  readonly #written: number[];

  constructor(drafts: readonly Draft[]) {
    this.#prompts = drafts.map(({ promptIds }) => promptIds);
    this.#read = drafts.map(() => 0);
    this.#written = drafts.map(() => 0);
  }

  /** A sequence has written more. */
  wrote(sequence: number, tokens: number): void {
    this.#read[sequence] = this.#prompts[sequence]!.length;
    this.#written[sequence]! += tokens;
  }

  ended(sequence: number, outcome: Outcome): void {
    const whole = this.#prompts[sequence]!.length;
    const { completionTokens } = outcome;
    // A sequence may end without a token of its own: `max_tokens: 0` only scores the prompt.
    const isRead = outcome.type === "finished" || completionTokens > 0;
    this.#read[sequence] = isRead ? whole : Math.max(this.#read[sequence]!, outcome.promptTokens);
    this.#written[sequence] = completionTokens;
  }

  /** Each prompt counts once at most, however many sequences have read it. */
  get tokens(): TokensUsed {
    const prompts = new Map<Draft["promptIds"], number>();
    for (const [sequence, prompt] of this.#prompts.entries())
      prompts.set(prompt, Math.min((prompts.get(prompt) ?? 0) + this.#read[sequence]!, prompt.length));
    return { promptTokens: sum(prompts.values()), completionTokens: sum(this.#written) };
  }
}

const sum = (numbers: Iterable<number>) => [...numbers].reduce((total, one) => total + one, 0);
