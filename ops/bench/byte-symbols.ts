import { isUtf8 } from "node:buffer";

/** GPT-2's stand-ins for bytes: those that print stand for themselves, the others for U+0100 and on. */
export const BYTE_SYMBOLS: readonly string[] = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const prints = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCodePoint(prints ? byte : next++);
  });
})();

/** A text's UTF-8, a symbol for each byte. */
export function byteSymbols(text: string): string[] {
  return [...Buffer.from(text)].map((byte) => BYTE_SYMBOLS[byte]!);
}

/** Whether symbols stand for bytes that are text by themselves, and not for a part of a character. */
export function isWholeText(symbols: string): boolean {
  const bytes = [...symbols].map((symbol) => BYTES.get(symbol));
  return bytes.every((byte) => byte !== undefined) && isUtf8(Uint8Array.from(bytes));
}

const BYTES = new Map(BYTE_SYMBOLS.map((symbol, byte) => [symbol, byte]));
