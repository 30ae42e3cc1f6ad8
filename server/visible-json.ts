/**
 * Control, format and separator characters: those that steer a terminal, turn the direction of writing, or end a line for
 * some readers.
 */
export const STEERING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** JSON whose strings have no characters that steer a terminal. It reads back to the same value. */
export function visibleJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(STEERING, (character) => {
    // JSON.stringify leaves only its own line breaks; those within strings are escaped already.
    if (character === "\n") return character;
    return [...Array(character.length).keys()]
      .map((at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`)
      .join("");
  });
}
