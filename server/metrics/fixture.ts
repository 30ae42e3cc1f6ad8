// Reads the metrics' text format.

/** The value of one series; null without one. @param series like `jai_jobs{state="running"}`, labels in their order */
export function seriesValue(text: string, series: string): number | null {
  const line = text.split("\n").find((one) => one.startsWith(`${series} `));
  return line === undefined ? null : Number(line.slice(series.length));
}

/** Names of all metrics, in their order. */
export function namesOf(text: string): string[] {
  return [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name!);
}
