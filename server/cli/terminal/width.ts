import { eastAsianWidth } from "get-east-asian-width";

const segmenter = new Intl.Segmenter();

/** Columns of a text without control characters: 2 for a Hangul syllable or an emoji, 0 for a combining mark. */
export function width(text: string): number {
  let columns = 0;
  for (const { segment } of segmenter.segment(text)) columns += widthOfSegment(segment);
  return columns;
}

function widthOfSegment(segment: string): number {
  const code = segment.codePointAt(0)!;
  if (/^[\p{Mn}\p{Me}\p{Cf}]/u.test(segment)) return 0;
  // Some symbols are emoji, which are wide, only before this selector.
  return segment.includes("\ufe0f") ? 2 : eastAsianWidth(code);
}

/** The text cut to so many columns at most, with `…` at a cut. */
export function fit(text: string, columns: number): string {
  if (width(text) <= columns) return text;
  let kept = "";
  let used = 0;
  for (const { segment } of segmenter.segment(text)) {
    used += widthOfSegment(segment);
    if (used > columns - 1) break;
    kept += segment;
  }
  return columns < 1 ? "" : `${kept}…`;
}

/** The text cut or filled with spaces to so many columns. */
export function pad(text: string, columns: number, align: "left" | "right" = "left"): string {
  const cut = fit(text, columns);
  const spaces = " ".repeat(columns - width(cut));
  return align === "left" ? cut + spaces : spaces + cut;
}

/** Lines of rows with columns of equal width, two spaces apart. The first row is the head. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, at) =>
    Math.max(...rows.map((row) => width(row[at] ?? ""))),
  );
  return rows.map((row) =>
    row
      .map((cell, at) => pad(cell, widths[at]!, right.includes(at) ? "right" : "left"))
      .join("  ")
      .trimEnd(),
  );
}
