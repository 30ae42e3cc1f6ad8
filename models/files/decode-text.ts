/** Text of a UTF-8 file, without the byte order mark that editors on Windows write. */
export function decodeText(bytes: Uint8Array): string {
  // TextDecoder drops the mark. Node's "utf8" keeps it, and JSON.parse refuses it.
  return new TextDecoder().decode(bytes);
}
