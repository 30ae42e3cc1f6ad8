import type { History, SlotState, Status } from "../server/status.js";
import type { Styles } from "../terminal/styles.js";
import { thousands } from "../terminal/units.js";
import { fit, pad } from "../terminal/width.js";
import { figures, heading, queueLines } from "./lines.js";

export interface FrameSize {
  columns: number;
  rows: number;
}

const SIGNS: Readonly<Record<SlotState, string>> = { idle: "·", prefill: "▒", decode: "█" };
const BARS = [..."▁▂▃▄▅▆▇█"];
const LABEL = 10;

/** The series that are drawn, with the unit of their greatest value. */
const PLOTS = [
  ["generated_tokens", "tokens/s", ""],
  ["running", "running", ""],
  ["waiting", "waiting", ""],
  ["ttft_p50_ms", "TTFT", " ms"],
  ["itl_p50_ms", "ITL", " ms"],
] as const;

/** The lines of a full screen, at most `rows`, each at most `columns` wide without its styles. */
export function frame(
  status: Status,
  history: History | null,
  { columns, rows }: FrameSize,
  styles: Styles,
): string[] {
  const plain = stylesOff(styles);
  const cut = (line: string, style = (text: string) => text) => style(fit(line, columns));
  const top = heading(status, plain);
  const lines = [
    fit(top, columns) === top ? heading(status, styles) : fit(top, columns),
    "",
    ...figures(status, plain).map((line) => {
      const text = fit(line, columns);
      return `${styles.dim(text.slice(0, LABEL))}${text.slice(LABEL)}`;
    }),
    "",
    ...slotLines(status, columns, styles),
    ...(history === null ? [] : ["", ...plotLines(history, columns, styles)]),
  ];
  const room = rows - lines.length - 4;
  const queue = room < 1 ? [] : queueLines(status, plain, room);
  const all =
    queue.length === 0
      ? lines
      : [...lines, "", cut(queue[0]!, styles.bold), ...queue.slice(1).map((line) => cut(line))];
  return all.slice(0, rows);
}

/** Columns of a line's two labels, so that its signs have one at least. */
const labelsWithin = (columns: number) => Math.min(2 * LABEL, columns - 1);

/** A sign for each slot, a line or more for each worker. */
function slotLines({ workers }: Status, columns: number, styles: Styles): string[] {
  const colours: Record<SlotState, (text: string) => string> = {
    idle: styles.dim,
    prefill: styles.yellow,
    decode: styles.green,
  };
  const labels = labelsWithin(columns);
  const width = columns - labels;
  return workers.flatMap(({ state, slots }, number) => {
    const label = `${pad(`worker ${number + 1}`, LABEL)}${pad(state, LABEL)}`;
    const chunks = Array.from({ length: Math.max(1, Math.ceil(slots.length / width)) }, (_, at) =>
      slots.slice(at * width, (at + 1) * width),
    );
    return chunks.map((chunk, at) => {
      const left = at === 0 ? fit(label, labels) : " ".repeat(labels);
      return `${state === "stalled" ? styles.red(left) : styles.dim(left)}${chunk.map((slot) => colours[slot.state](SIGNS[slot.state])).join("")}`;
    });
  });
}

function plotLines(
  { series, interval_seconds: interval }: History,
  columns: number,
  styles: Styles,
): string[] {
  const labels = labelsWithin(columns);
  const width = Math.max(1, columns - labels - 12);
  return PLOTS.flatMap(([name, label, unit]) => {
    const values = series[name]?.slice(-width) ?? [];
    const known = values.filter((value) => value !== null);
    if (known.length === 0) return [];
    const most = Math.max(...known);
    const told = `  most ${thousands(Math.round(most * 10) / 10)}${unit}`;
    const span = `${pad(label, LABEL)}${pad(`${Math.round(values.length * interval)} s`, LABEL)}`;
    return [
      `${styles.dim(fit(span, labels))}${styles.cyan(sparkline(values, most))}${styles.dim(fit(told, columns - labels - values.length))}`,
    ];
  });
}

/** A bar for each value, as high as its share of `most`; a space for what was not measured. */
export function sparkline(values: readonly (number | null)[], most: number): string {
  return values
    .map((value) => {
      if (value === null) return " ";
      const level = most <= 0 ? 0 : Math.round((value / most) * (BARS.length - 1));
      return BARS[Math.min(BARS.length - 1, Math.max(0, level))];
    })
    .join("");
}

function stylesOff(styles: Styles): Styles {
  return Object.fromEntries(Object.keys(styles).map((name) => [name, (text: string) => text])) as Styles;
}
