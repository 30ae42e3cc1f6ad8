/** How byte-level tokenizers write bytes as visible characters: printable Latin-1 as itself, the rest from U+0100 on. */
export const byteCharacters: readonly string[] = (() => {
  const visible = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let hidden = 0;
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCharCode(visible(byte) ? byte : 0x100 + hidden++),
  );
})();

const byteOf = new Map(byteCharacters.map((character, byte) => [character, byte]));

/** `text`'s UTF-8 bytes as visible characters. */
export function showBytes(text: string): string {
  let shown = "";
  for (const byte of Buffer.from(text)) shown += byteCharacters[byte];
  return shown;
}

/** The bytes that a token stands for; one that holds any other character stands for its own UTF-8. */
export function tokenBytes(token: string): Uint8Array {
  const bytes = Array.from(token, (character) => byteOf.get(character));
  return bytes.every((byte) => byte !== undefined) ? Uint8Array.from(bytes) : Buffer.from(token);
}
