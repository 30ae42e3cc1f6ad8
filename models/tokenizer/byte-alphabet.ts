/**
 * GPT-2's alphabet, in which byte-level tokenizers write their tokens: one printable character for each byte. Bytes that
 * print stand for themselves, the others for U+0100 and on.
 */
export const BYTE_ALPHABET: readonly string[] = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const prints = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(prints ? byte : next++);
  });
})();

const BYTES: ReadonlyMap<string, number> = new Map(BYTE_ALPHABET.map((symbol, byte) => [symbol, byte]));

/** A text's UTF-8, one symbol for each byte. */
export function toSymbols(text: string): string {
  return Array.from(Buffer.from(text), (byte) => BYTE_ALPHABET[byte]!).join("");
}

/** The bytes that a token's symbols stand for; null if one of its characters is no symbol. */
export function fromSymbols(token: string): Uint8Array | null {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = BYTES.get(token[i]!);
    if (byte === undefined) return null;
    bytes[i] = byte;
  }
  return bytes;
}
