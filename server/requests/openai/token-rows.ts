import type { TokenBytes } from "../../../models/tokenizer/detokenizer.js";
import type { Tokenizer } from "../../../models/tokenizer/tokenizer.js";
import type { TokenLogprob } from "../../../workers/protocol.js";

/** A token of a text and its log-probability. */
export interface TokenRow {
  id: number;
  /** null for a prompt's first token. */
  logprob: number | null;
  top: readonly (readonly [id: number, logprob: number])[] | null;
  /** The token's offset in the text, in characters. */
  start: number;
  /** How another token would be written at this position. */
  write(id: number): TokenBytes;
}

/** Collects a text's tokens with their offsets, and hands them out together with their text. */
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

  /** @param entry null for a prompt's first token */
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

  /** Takes the tokens whose offset is below `end`. */
  take(end: number): TokenRow[] {
    const next = this.#rows.findIndex(({ start }) => start >= end);
    return this.#rows.splice(0, next < 0 ? this.#rows.length : next);
  }

  takeAll(): TokenRow[] {
    return this.#rows.splice(0);
  }
}

/** Replaces -Infinity, which JSON can't express, by OpenAI's value for an impossible token. */
export function finite(logprob: number): number {
  return Math.max(logprob, -9999);
}

/** A token's text, or its bytes as `\xNN` if they aren't whole characters. */
export function readable({ text, bytes }: TokenBytes): string {
  if (text !== null) return text;
  return [...bytes!].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}
