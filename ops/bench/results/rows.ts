/** The rows with these values. */
export function select<Row extends object>(rows: readonly Row[], where: Partial<Row>): Row[] {
  const wanted = Object.entries(where) as [keyof Row, unknown][];
  return rows.filter((row) => wanted.every(([key, value]) => row[key] === value));
}

export function distinct<T>(values: readonly T[]): T[] {
  return [...new Set(values)];
}
