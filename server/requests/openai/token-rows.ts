import type { TokenBytes } from "../../../models/tokenizer/detokenizer.js";
import type { Tokenizer } from "../../../models/tokenizer/tokenizer.js";
import type { TokenLogprob } from "../../../workers/protocol.js";

/** A token of a text, and how likely it was. */
export interface TokenRow {
  id: number;
  /** null where nothing comes before the token. */
  logprob: number | null;
  top: readonly (readonly [id: number, logprob: number])[] | null;
  /** Characters of the text before it. */
  start: number;
  /** A token in its place. */
  write(id: number): TokenBytes;
}

/** The tokens of a text, one after the other, in the places that they have in it. */
export class TokenRows {
  readonly #tokenizer: Pick<Tokenizer, "detokenizer" | "tokenBytes">;
  readonly #detokenizer: ReturnType<Tokenizer["detokenizer"]>;
  readonly #rows: TokenRow[] = [];
  #length = 0;
  #first = true;

  constructor(tokenizer: Pick<Tokenizer, "detokenizer" | "tokenBytes">) {
    this.#tokenizer = tokenizer;
    this.#detokenizer = tokenizer.detokenizer();
  }

  /** `entry` is null for a token that nothing comes before. */
  push(id: number, entry: TokenLogprob | null): void {
    const first = this.#first;
    const write = (other: number) => this.#tokenizer.tokenBytes(other, first);
    this.#rows.push({
      id,
      logprob: entry?.logprob ?? null,
      top: entry?.top ?? null,
      start: this.#length,
      write,
    });
    this.#length += this.#detokenizer.push(id).length;
    if (write(id).bytes !== null) this.#first = false;
  }

  /** Takes the tokens that begin before the text's first `end` characters are over. */
  take(end: number): TokenRow[] {
    const next = this.#rows.findIndex(({ start }) => start >= end);
    return this.#rows.splice(0, next < 0 ? this.#rows.length : next);
  }

  takeAll(): TokenRow[] {
    return this.#rows.splice(0);
  }
}

/** JSON has no infinity; this is what OpenAI says of a token that can't come. */
export function finite(logprob: number): number {
  return Math.max(logprob, -9999);
}

/** A token's text, or its bytes, written out, where they aren't whole characters. */
export function readable({ text, bytes }: TokenBytes): string {
  if (text !== null) return text;
  return [...bytes!].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}
