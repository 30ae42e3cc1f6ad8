import { STEERING } from "../../visible-json.js";

/** Zero-width (non-)joiners, without which some scripts and emoji fall apart. They move nothing. */
const harmless = new Set(["\n", "\t", "\u200c", "\u200d"]);

/**
 * A text that is safe to write to a terminal: a model may write anything, ANSI sequences among it. Line breaks and tabs
 * stay; other control and bidi characters appear as `\u{1b}`.
 */
export function visible(text: string): string {
  return text
    .replace(/\r\n/g, "\n")
    .replace(STEERING, (character) => (harmless.has(character) ? character : escaped(character)));
}

/** The same on one line. */
export function visibleLine(text: string): string {
  return visible(text).replace(/[\n\t]/g, (character) => (character === "\n" ? "\\n" : "\\t"));
}

const escaped = (character: string) => `\\u{${character.codePointAt(0)!.toString(16)}}`;
