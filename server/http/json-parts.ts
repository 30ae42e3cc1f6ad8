/**
 * The most objects and lists in a body. Each costs the parser as much time and memory as a hundred characters of a string,
 * and a megabyte has room for half a million. Real bodies have a few hundred at most, nearly all in a JSON schema.
 */
export const MOST_PARTS = 20_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Whether a JSON text has more than `most` objects and lists. Takes a few milliseconds for 1 MB. */
export function hasTooManyParts(json: Uint8Array, most = MOST_PARTS): boolean {
  let parts = 0;
  let isString = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at]!;
    if (isString) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) isString = false;
    } else if (byte === QUOTE) isString = true;
    // "[" and "{"
    else if ((byte === 0x5b || byte === 0x7b) && ++parts > most) return true;
  }
  return false;
}
