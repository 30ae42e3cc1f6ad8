/** A text has a character that the model has no token for. The message is one line that names it. */
export class UnknownCharacterError extends Error {
  override name = "UnknownCharacterError";

  constructor(readonly character: string) {
    const code = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
    const visible = /^[\p{L}\p{N}\p{P}\p{S}]$/u.test(character)
      ? `${JSON.stringify(character)} (U+${code})`
      : `U+${code}`;
    super(`expected characters that the model was trained on, got ${visible}`);
  }
}
