/** A table of figures. */
export interface Table {
  title: string;
  /** One or two sentences on what the figures mean. */
  note?: string;
  columns: string[];
  rows: string[][];
}

/** Markdown with aligned columns, readable in a terminal too: figures to the right, words to the left. */
export function renderTable({ title, note, columns, rows }: Table): string {
  const widths = columns.map((column, i) => Math.max(3, column.length, ...rows.map((row) => row[i]!.length)));
  const isFigure = columns.map((_, i) => rows.every((row) => /^[\d–]|^$/.test(row[i]!)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (isFigure[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join(" | ")} |`;
  const rule = widths.map((width, i) => (isFigure[i] ? `${"-".repeat(width - 1)}:` : "-".repeat(width)));
  const lines = [line(columns), line(rule), ...rows.map(line)];
  return [`### ${title}`, "", ...(note ? [note, ""] : []), ...lines, ""].join("\n");
}
