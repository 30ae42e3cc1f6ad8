/** How the live view writes numbers in a language. Null becomes a dash. */
export interface Numbers {
  count(value: number): string;
  rate(value: number): string;
  percent(share: number): string;
  /** Of milliseconds, in milliseconds or seconds. */
  span(ms: number | null): string;
  /** Of seconds, in whole minutes and seconds, such as `2:05`. */
  clock(seconds: number): string;
  /** Of seconds, in the two largest units. */
  long(seconds: number): string;
  bytes(bytes: number): string;
}

const KIB = 1024;
const prefixes = ["B", "KiB", "MiB", "GiB", "TiB"];

const made = new Map<string, Numbers>();

/** @param language such as `en`. Cached: a formatter takes long to make, and the view writes hundreds of numbers a second. */
export function numbersIn(language: string): Numbers {
  const numbers = made.get(language) ?? makeNumbers(language);
  made.set(language, numbers);
  return numbers;
}

function makeNumbers(language: string): Numbers {
  const format = (options: Intl.NumberFormatOptions) => {
    const { format } = new Intl.NumberFormat(language, options);
    return (value: number) => format(value);
  };
  const unit = (name: string, options = {}) =>
    format({ style: "unit", unit: name, unitDisplay: "short", maximumFractionDigits: 0, ...options });
  const whole = format({ maximumFractionDigits: 0 });
  const precise = format({ maximumSignificantDigits: 3 });
  const percent = format({ style: "percent", maximumFractionDigits: 1 });
  const milliseconds = unit("millisecond", { maximumSignificantDigits: 3 });
  const seconds = unit("second", { maximumSignificantDigits: 3 });
  const units = [
    [86_400, unit("day", { unitDisplay: "narrow" })],
    [3600, unit("hour", { unitDisplay: "narrow" })],
    [60, unit("minute", { unitDisplay: "narrow" })],
    [1, unit("second", { unitDisplay: "narrow" })],
  ] as const;
  return {
    count: whole,
    rate: (value) => (value < 100 ? precise(value) : whole(value)),
    percent,
    span(ms) {
      if (ms === null) return "–";
      return ms < 1000 ? milliseconds(ms) : seconds(ms / 1000);
    },
    clock: (time) => `${Math.floor(time / 60)}:${String(Math.floor(time % 60)).padStart(2, "0")}`,
    long(time) {
      const at = Math.max(
        units.findIndex(([size]) => time >= size),
        0,
      );
      const first = time < 1 ? units.length - 1 : at;
      let rest = time;
      const parts = units.slice(first, first + 2).map(([size, write]) => {
        const part = Math.floor(rest / size);
        rest -= part * size;
        return part > 0 || first === units.length - 1 ? write(part) : "";
      });
      return parts.filter((part) => part !== "").join(" ");
    },
    bytes(bytes) {
      const power = Math.min(Math.floor(Math.log(Math.max(bytes, 1)) / Math.log(KIB)), prefixes.length - 1);
      return `${precise(bytes / KIB ** power)} ${prefixes[power]}`;
    },
  };
}
