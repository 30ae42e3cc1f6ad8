/** Longest message. Names in it come from the file and may have any length. */
const MAX_MESSAGE = 1000;

/** A file that can't be imported. `message` is one line that names the file, and is safe to print: whatever the file put into it is escaped. */
export class ImportError extends Error {
  override name = "ImportError";

  constructor(file: string, detail: string) {
    super(oneLine(`${file}: ${detail}`));
  }
}

function oneLine(text: string): string {
  const escaped = text.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (char) => `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
  );
  return escaped.length > MAX_MESSAGE ? `${escaped.slice(0, MAX_MESSAGE)}…` : escaped;
}
