const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENING: ReadonlySet<number> = new Set([0x5b, 0x7b]);
const CLOSING: ReadonlySet<number> = new Set([0x5d, 0x7d]);

/**
 * Refuses JSON that is nested deeper than `most`, before it is parsed: the parser takes a hundred bytes for each of
 * millions of brackets.
 * @throws SyntaxError
 */
export function assertShallow(json: Uint8Array, most: number): void {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at]!;
    if (byte === QUOTE) inText = !inText;
    else if (inText) {
      if (byte === BACKSLASH) at++;
    } else if (OPENING.has(byte)) {
      if (++depth > most) throw new SyntaxError(`it is nested deeper than ${most}`);
    } else if (CLOSING.has(byte)) depth--;
  }
}
