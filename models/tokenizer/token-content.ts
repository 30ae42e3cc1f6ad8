/** A token in tokenizer_config.json is its text, or an object that holds it. */
export function tokenContent(value: unknown): string | null {
  if (typeof value === "string") return value;
  if (value !== null && typeof value === "object" && "content" in value) return tokenContent(value.content);
  return null;
}
