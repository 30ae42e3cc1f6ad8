import { TemplateTooMuch } from "./too-much.js";

/** Bounds of one rendering. */
export interface TemplateBounds {
  /** Expressions and statements that are evaluated, and rounds of loops. */
  steps: number;
  /**
   * Characters of all texts that these give, the output's among them, and of those that a filter or an operator reads again
   * and again; an entry of a new list counts as 32.
   */
  characters: number;
  milliseconds: number;
  /** Whether an operation may make a text that is many times longer than what it was given. */
  multiplies: boolean;
}

/** A rendering that streams may wait for: it takes a few milliseconds at most. */
export const LIGHT: TemplateBounds = {
  steps: 10_000,
  characters: 1_000_000,
  milliseconds: 5,
  multiplies: false,
};

/** For the few words that a start tries a template with. */
export const TRIAL: TemplateBounds = {
  steps: 200_000,
  characters: 4_000_000,
  // Far more time than a trial takes, because the machine may be busy when a server starts.
  milliseconds: 1_000,
  multiplies: true,
};

/** Bounds for threads that no stream waits for. @param input characters of the conversation */
export const whole = (input: number): TemplateBounds => ({
  steps: 5_000_000,
  characters: 32_000_000 + 100 * input,
  milliseconds: 2_000,
  multiplies: true,
});

/** The rest of one rendering's bounds. */
export class Spending {
  #steps: number;
  #characters: number;
  readonly #until: number;
  readonly multiplies: boolean;

  constructor({ steps, characters, milliseconds, multiplies }: TemplateBounds) {
    this.#steps = steps;
    this.#characters = characters;
    this.#until = performance.now() + milliseconds;
    this.multiplies = multiplies;
  }

  /** Before each step. @throws TemplateTooMuch */
  step(count = 1): void {
    this.#steps -= count;
    if (this.#steps < 0) throw new TemplateTooMuch("expected fewer steps");
    if (performance.now() > this.#until) throw new TemplateTooMuch("expected less time");
  }

  /** @throws TemplateTooMuch */
  spend(characters: number): void {
    this.#characters -= characters;
    // Written so that a NaN counts as too much.
    if (!(this.#characters >= 0)) throw new TemplateTooMuch("expected less text");
  }
}
