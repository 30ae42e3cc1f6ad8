/** Text of a UTF-8 file that a person may have edited: without the byte order mark with which editors on Windows begin it. */
export function decodeText(bytes: Uint8Array): string {
  // It drops the mark, which Node's own "utf8" keeps and JSON.parse refuses.
  return new TextDecoder().decode(bytes);
}
