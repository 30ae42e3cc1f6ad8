import { type ClosedRow, OURS, type Results } from "../results/results.js";
import { distinct, select } from "../results/rows.js";
import { median } from "../results/statistics.js";

const PANEL = { width: 500, height: 330 };
/** Edges of the plot area within a panel. */
const AXES = { left: 64, right: 484, top: 36, bottom: 286 };
const LEGEND = { height: 34, item: 164 };

/** Colours that are distinct on white and on black, for most colour-blind people too. Ours comes first. */
const COLOURS = ["#d1495b", "#3a7ca5", "#2a9d76", "#c98a1b", "#8e6bbf", "#7a7f87", "#4aa3a2", "#b0703c"];
const STYLE = [
  ".paper { fill: #ffffff } text { fill: #24292f } .grid { stroke: #d8dee4 } .axis { stroke: #8c959f }",
  "@media (prefers-color-scheme: dark) { .paper { fill: #0d1117 } text { fill: #e6edf3 } .grid { stroke: #30363d } .axis { stroke: #6e7681 } }",
].join("\n");

interface Point {
  system: string;
  x: number;
  y: number;
}

interface Panel {
  title: string;
  xLabel: string;
  points: Point[];
  /** A dashed line where y is as large as x. */
  diagonal: boolean;
}

/** Makes `results.svg`: throughput and latency by number of clients, one line per system, both axes logarithmic. */
export function plot(results: Results): string {
  const panels = results.models
    .flatMap(({ name }) => panelsOf(results, name))
    .filter((one) => one.points.length > 0);
  const systems = distinct(panels.flatMap(({ points }) => points.map(({ system }) => system)));
  const names = [OURS, ...systems.filter((name) => name !== OURS)];
  const columns = Math.min(2, Math.max(1, panels.length));
  const width = columns * PANEL.width;
  const perRow = Math.floor(width / LEGEND.item);
  const top = LEGEND.height * Math.ceil(names.length / perRow);
  const height = top + Math.ceil(panels.length / columns) * PANEL.height;
  const legend = names.map((name, i) => {
    const [x, y] = [16 + (i % perRow) * LEGEND.item, 22 + LEGEND.height * Math.floor(i / perRow)];
    return `<path d="M${x} ${y - 4}h22" ${strokeOf(names, name)}/>${text(x + 28, y, name)}`;
  });
  const drawn = panels.map((panel, i) => {
    const [x, y] = [(i % columns) * PANEL.width, top + Math.floor(i / columns) * PANEL.height];
    return `<g transform="translate(${x} ${y})">${draw(panel, names)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12">`,
    "<title>Throughput and latency by number of clients</title>",
    `<style>${STYLE}</style>`,
    `<rect class="paper" width="${width}" height="${height}"/>`,
    ...legend,
    ...drawn,
    "</svg>\n",
  ].join("\n");
}

function panelsOf(results: Results, model: string): Panel[] {
  const closed = (title: string, stream: boolean, figure: (row: ClosedRow) => number | undefined): Panel => {
    const rows = select(results.closed, { model, stream });
    const points = distinct(rows.map(({ system }) => system)).flatMap((system) =>
      distinct(rows.map(({ clients }) => clients)).flatMap((clients): Point[] => {
        const values = select(rows, { system, clients }).flatMap((row) => figure(row) ?? []);
        return values.length === 0 ? [] : [{ system, x: clients, y: median(values) }];
      }),
    );
    return { title: `${model}: ${title}`, xLabel: "clients", points, diagonal: false };
  };
  const open = select(results.open, { model }).filter(({ good }) => good > 0);
  return [
    closed("tokens per second", false, (row) => row.tokensPerSecond),
    // Per token, since slow systems are asked for fewer tokens.
    closed("ms a token to the whole answer (p50)", false, (row) => row.endToEnd.p50 / row.tokens),
    closed("ms to the first token (p50), streaming", true, (row) => row.firstToken?.p50),
    closed("ms between tokens (p99), streaming", true, (row) => row.interToken?.p99),
    {
      title: `${model}: requests per second within bounds`,
      xLabel: "arriving per second",
      points: open.map((row) => ({ system: row.system, x: row.perSecond, y: row.good / row.seconds })),
      diagonal: true,
    },
  ];
}

function draw({ title, xLabel, points, diagonal }: Panel, names: readonly string[]): string {
  const { left, right, top, bottom } = AXES;
  const xs = distinct(points.map(({ x }) => x)).sort((a, b) => a - b);
  const yTicks = decadeTicks(points.map(({ y }) => y));
  const x = logScale([xs[0]!, xs.at(-1)!], [left + 8, right - 8]);
  const y = logScale([yTicks[0]!, yTicks.at(-1)!], [bottom, top]);
  // Numbers of clients are few, so each gets a tick; rates of arrival are many.
  const xTicks = diagonal ? decadeTicks(xs).filter((tick) => tick >= xs[0]! && tick <= xs.at(-1)!) : xs;
  const parts = [
    text(left, 20, title, 'font-weight="600"'),
    ...yTicks.map(
      (tick) =>
        `<path class="grid" d="M${left} ${y(tick)}H${right}"/>${text(left - 8, y(tick) + 4, label(tick), 'text-anchor="end"')}`,
    ),
    ...xTicks.map(
      (tick) =>
        `<path class="axis" d="M${x(tick)} ${bottom}v5"/>${text(x(tick), bottom + 19, label(tick), 'text-anchor="middle"')}`,
    ),
    `<path class="axis" d="M${left} ${bottom}H${right}"/>`,
    text((left + right) / 2, bottom + 37, xLabel, 'text-anchor="middle"'),
  ];
  if (diagonal) {
    const [from, to] = [Math.max(xs[0]!, yTicks[0]!), Math.min(xs.at(-1)!, yTicks.at(-1)!)];
    const line = `M${x(from)} ${y(from)}L${x(to)} ${y(to)}`;
    parts.push(`<path class="axis" stroke-dasharray="4 4" d="${line}"/>`);
  }
  // Ours is drawn last, so that it lies on top.
  for (const name of names.toReversed()) {
    const own = points.filter(({ system }) => system === name).sort((a, b) => a.x - b.x);
    if (own.length === 0) continue;
    const path = own.map((point) => `${x(point.x)},${y(point.y)}`).join(" ");
    parts.push(`<polyline points="${path}" fill="none" ${strokeOf(names, name)}/>`);
    for (const point of own)
      parts.push(
        `<circle cx="${x(point.x)}" cy="${y(point.y)}" r="1" fill="none" ${strokeOf(names, name)}/>`,
      );
  }
  return parts.join("");
}

/** A logarithmic scale from positive numbers to pixels, rounded to a tenth. A single value maps to the middle. */
export function logScale(
  [from, to]: [number, number],
  [start, end]: [number, number],
): (value: number) => number {
  const share = (value: number) => (from === to ? 0.5 : Math.log(value / from) / Math.log(to / from));
  return (value) => Math.round(10 * (start + share(value) * (end - start))) / 10;
}

/** Ticks at 1, 2 and 5 times powers of ten that enclose the values; for wide ranges only at the powers. */
export function decadeTicks(values: readonly number[]): number[] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const [first, last] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))];
  const powers = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  const digits = powers.length > 4 ? [1] : [1, 2, 5];
  const ticks = powers.flatMap((power) => digits.map((digit) => Number(`${digit}e${power}`)));
  const start = ticks.findLastIndex((tick) => tick <= least);
  const end = ticks.findIndex((tick) => tick >= most);
  const chosen = ticks.slice(Math.max(0, start), end + 1);
  return chosen.length > 1 ? chosen : [least / 2, most * 2];
}

const strokeOf = (names: readonly string[], name: string) =>
  `stroke="${COLOURS[names.indexOf(name) % COLOURS.length]}" stroke-width="${name === OURS ? 3 : 1.8}"`;
const label = (value: number) => value.toLocaleString("en", { maximumFractionDigits: value >= 1 ? 1 : 3 });
const text = (x: number, y: number, content: string, attributes = "") =>
  `<text x="${x}" y="${y}" ${attributes}>${content.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</text>`;
