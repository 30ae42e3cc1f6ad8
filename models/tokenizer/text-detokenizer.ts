import { stripToken, type TextDecoding } from "./text-decoder.js";

/** A detokenizer for tokens that are texts or single bytes. */
export class TextDetokenizer {
  readonly #tokens: readonly (string | undefined)[];
  readonly #decoding: TextDecoding;
  /** Bytes of a character that is not complete yet. */
  #open: number[] = [];
  /** How often the start may still be stripped. */
  #strips: number;

  constructor(tokens: readonly (string | undefined)[], decoding: TextDecoding) {
    this.#tokens = tokens;
    this.#decoding = decoding;
    this.#strips = decoding.strip.times;
  }

  push(id: number): string {
    const token = this.#tokens[id];
    if (token === undefined) return "";
    const { strip, write } = this.#decoding;
    const rest = this.#strips > 0 ? stripToken(token, strip) : token;
    if (strip.ofTokens && rest !== token) this.#strips--;
    const written = write(rest);
    if (typeof written === "string") return this.#strip(this.#flush() + written);
    this.#open.push(written);
    return this.#strip(this.#takeWhole());
  }

  end(): string {
    return this.#strip(this.#flush());
  }

  #flush(): string {
    const rest = "\ufffd".repeat(this.#open.length);
    this.#open = [];
    return rest;
  }

  /** As SentencePiece decodes bytes: each that is no part of a character becomes U+FFFD by itself. */
  #takeWhole(): string {
    let text = "";
    while (this.#open.length > 0) {
      const length = characterLength(this.#open);
      if (length === null) break;
      const bytes = this.#open.splice(0, Math.max(1, length));
      text += length === 0 ? "\ufffd" : Buffer.from(bytes).toString();
    }
    return text;
  }

  #strip(text: string): string {
    const { content, ofTokens } = this.#decoding.strip;
    if (ofTokens) {
      if (text !== "" || this.#open.length > 0) this.#strips = 0;
      return text;
    }
    let rest = text;
    while (this.#strips > 0 && rest !== "") {
      this.#strips = rest.startsWith(content) ? this.#strips - 1 : 0;
      if (rest.startsWith(content)) rest = rest.slice(content.length);
    }
    return rest;
  }
}

/** How many bytes the first character has; 0 if there is none, null if more bytes may make it one. */
function characterLength(bytes: readonly number[]): number | null {
  const [lead, second] = bytes as [number, number | undefined];
  if (lead < 0x80) return 1;
  const length =
    lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
  if (length === 0) return 0;
  if (second !== undefined) {
    // No overlong forms, surrogates, or code points past U+10FFFF.
    const least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    if (second < least || second > most) return 0;
  }
  const following = bytes.slice(1, length);
  if (following.some((byte) => byte < 0x80 || byte > 0xbf)) return 0;
  return bytes.length >= length ? length : null;
}
