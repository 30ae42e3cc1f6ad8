import { expect } from "./vocabulary.js";

/** The name of the token that stands for a byte. */
export function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

/** The byte that a token stands for; null for any other token. */
export function tokenByte(token: string): number | null {
  return /^<0x[0-9A-Fa-f]{2}>$/.test(token) ? Number.parseInt(token.slice(3, 5), 16) : null;
}

/**
 * Turns characters without a token into those of their bytes; null without `byte_fallback`.
 * @throws ModelError if only some bytes have a token
 */
export function prepareByteFallback(
  wanted: unknown,
  vocabulary: ReadonlyMap<string, number>,
): ((text: string) => string[]) | null {
  expect([true, false, null, undefined].includes(wanted as null), "true or false for byte_fallback", wanted);
  const tokens = Array.from({ length: 256 }, (_, byte) => byteToken(byte));
  const known = tokens.filter((token) => vocabulary.has(token)).length;
  // Without any, files of character models have the field too.
  if (wanted !== true || known === 0) return null;
  expect(known === 256, "tokens for all 256 bytes with byte_fallback", known);
  return (text) => Array.from(Buffer.from(text), (byte) => tokens[byte]!);
}
