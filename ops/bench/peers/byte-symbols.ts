import { isUtf8 } from "node:buffer";

/** GPT-2's stand-ins for bytes: those that print stand for themselves, the others for U+0100 and on. */
const SYMBOLS = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const prints = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCodePoint(prints ? byte : next++);
  });
})();

/** A text's UTF-8, a symbol for each byte. */
export function byteSymbols(text: string): string {
  return [...Buffer.from(text)].map((byte) => SYMBOLS[byte]!).join("");
}

/** Whether symbols stand for bytes that are text by themselves, and not for a part of a character. */
export function isWholeText(symbols: string): boolean {
  const bytes = [...symbols].map((symbol) => SYMBOLS.indexOf(symbol));
  return !bytes.includes(-1) && isUtf8(Uint8Array.from(bytes));
}
