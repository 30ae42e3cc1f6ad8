/** A table of figures, for the terminal and for Markdown. */
export interface Table {
  title: string;
  /** What the figures mean, in a sentence or two. */
  note?: string;
  columns: string[];
  rows: string[][];
}

export function renderText({ title, note, columns, rows }: Table): string {
  const widths = columns.map((column, i) =>
    Math.max(column.length, ...rows.map((row) => row[i]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (isFigure(rows, i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join("  ")
      .trimEnd();
  return [title, ...(note ? [note] : []), "", line(columns), ...rows.map(line), ""].join("\n");
}

export function renderMarkdown({ title, note, columns, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = columns.map((_, i) => (isFigure(rows, i) ? "--:" : "---"));
  return [
    `### ${title}`,
    "",
    ...(note ? [note, ""] : []),
    line(columns),
    line(rule),
    ...rows.map(line),
    "",
  ].join("\n");
}

/** Figures are aligned to the right, words to the left. */
function isFigure(rows: readonly string[][], column: number): boolean {
  return rows.every((row) => /^[\d<–-]/.test(row[column] ?? ""));
}
