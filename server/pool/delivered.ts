import type { TokenLogprob } from "../../workers/protocol.js";

/** New text of a sequence, the number of its tokens and, if asked for, their log-probabilities. */
export interface Piece {
  text: string;
  tokens: number;
  logprobs: TokenLogprob[] | undefined;
}

/** The rerun of a sequence wrote other text than its caller already has. */
export class OtherText extends Error {
  constructor() {
    super("its rerun wrote other text than it had delivered: this device's numbers differ from run to run");
  }
}

/**
 * What the caller of a sequence has been given. After `startOver` the same text comes again: what was delivered is compared
 * and skipped, so that the caller gets each character and each token once.
 */
export class Delivered {
  #text = "";
  /** Ids of the tokens that came with log-probabilities. */
  readonly #ids: number[] = [];
  #tokens = 0;
  /** How much of it this run has written. */
  #runCharacters = 0;
  #runTokens = 0;

  get tokens(): number {
    return this.#tokens;
  }

  startOver(): void {
    this.#runCharacters = 0;
    this.#runTokens = 0;
  }

  /**
   * Takes a run's next piece.
   * @returns the part of it that the caller lacks, or null
   * @throws OtherText
   */
  take({ text, tokens, logprobs }: Piece): Piece | null {
    const old = Math.min(text.length, this.#text.length - this.#runCharacters);
    const isSame = old === 0 || this.#text.startsWith(text.slice(0, old), this.#runCharacters);
    if (!isSame || !this.#hasSameIds(logprobs)) throw new OtherText();
    this.#runCharacters += text.length;
    this.#runTokens += tokens;
    const added = this.#runTokens - this.#tokens;
    // Runs cut their text into pieces at other places, but always between the same tokens: both are new, or neither.
    if (old === text.length) {
      if (added > 0 || (added === 0) !== (this.#runCharacters === this.#text.length)) throw new OtherText();
      return null;
    }
    if (added <= 0) throw new OtherText();
    const fresh = { text: text.slice(old), tokens: added, logprobs: logprobs?.slice(-added) };
    this.#text += fresh.text;
    this.#tokens += added;
    for (const { id } of fresh.logprobs ?? []) this.#ids.push(id);
    return fresh;
  }

  /** @throws OtherText if a whole text does not begin with what was delivered */
  assertBegins(whole: string, tokens: number): void {
    if (tokens < this.#tokens || !whole.startsWith(this.#text)) throw new OtherText();
  }

  #hasSameIds(logprobs: TokenLogprob[] | undefined): boolean {
    const begun = this.#runTokens;
    return (
      logprobs?.every(({ id }, i) => begun + i >= this.#ids.length || this.#ids[begun + i] === id) ?? true
    );
  }
}
