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
