const units = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
] as const;

/** A span in its largest unit that fits. */
export function spanOf(seconds: number, language: string): string {
  const [unit, size] = units.find(([, length]) => seconds >= length) ?? units[3];
  const format = { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 0 } as const;
  return new Intl.NumberFormat(language, format).format(Math.ceil(seconds / size));
}

export const momentOf = (iso: string, language: string) =>
  new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" }).format(new Date(iso));
