/** A path quoted, if need be, so that a shell reads it as one word. */
export function shellQuoted(path: string): string {
  if (process.platform === "win32") return /\s/.test(path) ? `"${path}"` : path;
  return /^[\p{L}\p{N}_@%+=:,./-]+$/u.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
