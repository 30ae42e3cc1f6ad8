/** Control, format and separator characters: those that steer a terminal or turn the direction of writing. */
const steering = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** Zero-width (non-)joiners, without which some scripts and emoji fall apart. They move nothing. */
const harmless = new Set(["\n", "\t", "\u200c", "\u200d"]);

/**
 * A text that is safe to write to a terminal: a model may write anything, ANSI sequences among it. Line breaks and tabs
 * stay; other control and bidi characters appear as `\u{1b}`.
 */
export function visible(text: string): string {
  return text
    .replace(/\r\n/g, "\n")
    .replace(steering, (character) => (harmless.has(character) ? character : escaped(character)));
}

/** The same on one line. */
export function visibleLine(text: string): string {
  return visible(text).replace(/[\n\t]/g, (character) => (character === "\n" ? "\\n" : "\\t"));
}

const escaped = (character: string) => `\\u{${character.codePointAt(0)!.toString(16)}}`;

/** JSON whose strings have no characters that steer a terminal. It reads back to the same value. */
export function visibleJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(steering, (character) => {
    // JSON.stringify leaves only its own line breaks; those within strings are escaped already.
    if (character === "\n") return character;
    return [...Array(character.length).keys()]
      .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`)
      .join("");
  });
}
