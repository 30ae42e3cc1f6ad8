/** A run of ordinary text, or one character that would be invisible or change how the text around it looks. */
export type Part = { text: string } | { control: string };

/**
 * Control characters but tab and line break; marks and overrides of the writing direction; line and paragraph
 * separators; zero-width space, byte order mark, and the invisible tags of plane 14.
 */
const CONTROLS =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

/** Splits a text so that nothing in it can hide or reorder what is beside it. */
export function visibleParts(text: string): Part[] {
  const parts: Part[] = [];
  let end = 0;
  for (const { 0: control, index } of text.matchAll(CONTROLS)) {
    if (index > end) parts.push({ text: text.slice(end, index) });
    parts.push({ control: nameOf(control.codePointAt(0)!) });
    end = index + control.length;
  }
  if (end < text.length || parts.length === 0) parts.push({ text: text.slice(end) });
  return parts;
}

/** Writes each such character of a program as an escape. @param write of a code point, in the program's language */
export const withEscapes = (program: string, write: (code: number) => string): string =>
  program.replace(CONTROLS, (control) => write(control.codePointAt(0)!));

const names: Readonly<Record<number, string>> = {
  0: "NUL",
  7: "BEL",
  8: "BS",
  13: "CR",
  27: "ESC",
  127: "DEL",
};

const nameOf = (code: number) => names[code] ?? `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
