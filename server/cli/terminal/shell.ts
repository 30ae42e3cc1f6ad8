/** A path quoted, if need be, so that a shell reads it as one word. */
export function shellQuoted(given: string): string {
  // A command would take it for a flag.
  const path = given.startsWith("-") ? `./${given}` : given;
  if (process.platform === "win32") return /\s/.test(path) ? `"${path}"` : path;
  return /^[\p{L}\p{N}_@%+=:,./-]+$/u.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
