const units = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
] as const;

/** A span in its largest unit that fits. */
export function spanOf(seconds: number, language: string): string {
  const [unit, size] = units.find(([, length]) => seconds >= length) ?? units[3];
  return inUnit(seconds / size, unit, language);
}

/** A time to wait: up to two minutes in seconds, which a reader counts. */
export const waitOf = (seconds: number, language: string): string =>
  seconds <= 120 ? inUnit(seconds, "second", language) : spanOf(seconds, language);

function inUnit(count: number, unit: string, language: string): string {
  const format = { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 0 } as const;
  return new Intl.NumberFormat(language, format).format(Math.ceil(count));
}

export const momentOf = (iso: string, language: string) =>
  new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" }).format(new Date(iso));
