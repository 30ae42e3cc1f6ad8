/** The half of a tokenizer that turns ids into text. */
export interface Decoder {
  decode(ids: readonly number[]): string;
}

/** What an unfinished UTF-8 character decodes to. */
const REPLACEMENT = "\uFFFD";
/** A character has at most four bytes, so four ids: what is none after more is no UTF-8, and waiting longer only costs time. */
const LONGEST_CHARACTER = 8;

/**
 * Turns ids into text one at a time; the pieces joined are the text of all ids, and none ends in half a character.
 *
 * A piece is what the ids since the last piece add to the text of a few ids before them, because what an id decodes to
 * can depend on its predecessors (a joining space, the bytes of one character).
 */
export class Detokenizer {
  readonly #decoder: Decoder;
  #ids: number[] = [];
  /** How many of `#ids` are context that was emitted already, and their text. */
  #emitted = 0;
  #context = "";

  constructor(decoder: Decoder) {
    this.#decoder = decoder;
  }

  push(id: number): string {
    this.#ids.push(id);
    const text = this.#decoder.decode(this.#ids);
    if (text === this.#context) {
      // A control token is no text, and no context either: what follows it joins to what came before it.
      this.#ids.pop();
      return "";
    }
    if (isUnfinished(text) && this.#ids.length - this.#emitted < LONGEST_CHARACTER) return "";
    const piece = text.slice(this.#context.length);
    this.#ids = this.#ids.slice(this.#emitted);
    this.#emitted = this.#ids.length;
    this.#context = this.#decoder.decode(this.#ids);
    return piece;
  }
}

/** Whether a text may end in the first bytes of a character. */
export function isUnfinished(text: string): boolean {
  return text.endsWith(REPLACEMENT);
}
