export const corsOriginsForm = "none, * or origins separated by commas (https://example.com, without a path)";

/** Reads a list of origins; null for an invalid one. */
export function parseCorsOrigins(text: string): readonly string[] | "none" | "*" | null {
  if (text === "none" || text === "*") return text;
  const origins = text.split(",").map((origin) => origin.trim());
  return origins.every(isOrigin) ? origins : null;
}

function isOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}
