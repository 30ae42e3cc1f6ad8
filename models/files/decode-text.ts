/** Text of a UTF-8 file, without the byte order mark that editors on Windows write. */
export function decodeText(bytes: Uint8Array): string {
  // `TextDecoder` strips the BOM. `toString("utf8")` keeps it, and `JSON.parse` then fails.
  return new TextDecoder().decode(bytes);
}
