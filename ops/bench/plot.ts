import { distinct, matches } from "./figures.js";
import { OURS, type Results } from "./results.js";
import { median } from "./statistics.js";

const PANEL = { width: 500, height: 330, left: 64, right: 16, top: 36, bottom: 44 };
const LEGEND = { height: 34, item: 164 };
const FONT = 'font-family="system-ui, sans-serif"';

/** Colours that tell apart on white and on black, also for most colour-blind eyes; ours comes first. */
const COLOURS = ["#d1495b", "#3a7ca5", "#2a9d76", "#c98a1b", "#8e6bbf", "#7a7f87", "#4aa3a2", "#b0703c"];

export interface Point {
  x: number;
  y: number;
}

export interface Panel {
  title: string;
  xLabel: string;
  /** By system. */
  lines: ReadonlyMap<string, readonly Point[]>;
  /** A dashed line from corner to corner, where y is as large as x. */
  diagonal: boolean;
}

/** `results.svg`: throughput and latency against clients, one line a system, both axes logarithmic. */
export function plot(results: Results): string {
  const panels = results.models.flatMap(({ name }) => [
    closedPanel(results, name, false, "tokens per second", (row) => row.tokensPerSecond),
    // Not every system is asked for as many tokens.
    closedPanel(
      results,
      name,
      false,
      "ms a token to the whole answer (p50)",
      (row) => row.endToEnd.p50 / row.tokens,
    ),
    closedPanel(results, name, true, "ms to the first token (p50), streaming", (row) => row.firstToken?.p50),
    closedPanel(results, name, true, "ms between tokens (p99), streaming", (row) => row.interToken?.p99),
    openPanel(results, name),
  ]);
  return render(panels.filter(({ lines }) => lines.size > 0));
}

function closedPanel(
  results: Results,
  model: string,
  stream: boolean,
  what: string,
  figure: (row: Results["closed"][number]) => number | undefined,
): Panel {
  const rows = results.closed.filter((row) => matches(row, { model, stream }));
  const lines = new Map<string, Point[]>();
  for (const system of distinct(rows.map((row) => row.system))) {
    const own = rows.filter((row) => row.system === system);
    const points = distinct(own.map(({ clients }) => clients)).flatMap((clients) => {
      const values = own.filter((row) => row.clients === clients).flatMap((row) => figure(row) ?? []);
      return values.length === 0 ? [] : [{ x: clients, y: median(values) }];
    });
    if (points.length > 0) lines.set(system, points);
  }
  return { title: `${model}: ${what}`, xLabel: "clients", lines, diagonal: false };
}

function openPanel(results: Results, model: string): Panel {
  const rows = results.open.filter((row) => row.model === model);
  const lines = new Map<string, Point[]>();
  for (const system of distinct(rows.map((row) => row.system))) {
    const own = rows.filter((row) => row.system === system && row.good > 0);
    lines.set(
      system,
      own.map((row) => ({ x: row.perSecond, y: row.good / row.seconds })),
    );
  }
  return {
    title: `${model}: requests per second within bounds`,
    xLabel: "arriving per second",
    lines,
    diagonal: true,
  };
}

/** Panels two by two under one legend. */
export function render(panels: readonly Panel[]): string {
  const names = distinct(panels.flatMap(({ lines }) => [...lines.keys()])).sort(
    (a, b) => Number(b === OURS) - Number(a === OURS),
  );
  const colour = (name: string) => COLOURS[names.indexOf(name) % COLOURS.length]!;
  const columns = Math.min(2, Math.max(1, panels.length));
  const perRow = Math.max(1, Math.floor((columns * PANEL.width) / LEGEND.item));
  const legendHeight = LEGEND.height * Math.ceil(names.length / perRow);
  const width = columns * PANEL.width;
  const height = legendHeight + Math.ceil(panels.length / columns) * PANEL.height;
  const legend = names.map((name, i) => {
    const [x, y] = [16 + (i % perRow) * LEGEND.item, 22 + LEGEND.height * Math.floor(i / perRow)];
    return [
      `<line x1="${x}" y1="${y - 4}" x2="${x + 22}" y2="${y - 4}" stroke="${colour(name)}" stroke-width="${strokeOf(name)}"/>`,
      `<text x="${x + 28}" y="${y}">${escapeText(name)}</text>`,
    ].join("");
  });
  const drawn = panels.map((panel, i) => {
    const [x, y] = [(i % columns) * PANEL.width, legendHeight + Math.floor(i / columns) * PANEL.height];
    return `<g transform="translate(${x} ${y})">${drawPanel(panel, colour)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ${FONT} font-size="12">`,
    "<title>Throughput and latency by number of clients</title>",
    "<style>",
    "  .paper { fill: #ffffff } text { fill: #24292f } .grid { stroke: #d8dee4 } .axis { stroke: #8c959f }",
    "  @media (prefers-color-scheme: dark) { .paper { fill: #0d1117 } text { fill: #e6edf3 } .grid { stroke: #30363d } .axis { stroke: #6e7681 } }",
    "</style>",
    `<rect class="paper" width="${width}" height="${height}"/>`,
    ...legend,
    ...drawn,
    "</svg>",
    "",
  ].join("\n");
}

function drawPanel({ title, xLabel, lines, diagonal }: Panel, colour: (name: string) => string): string {
  const points = [...lines.values()].flat();
  const [left, right] = [PANEL.left, PANEL.width - PANEL.right];
  const [top, bottom] = [PANEL.top, PANEL.height - PANEL.bottom];
  const xs = points.map(({ x }) => x);
  const x = logScale([Math.min(...xs), Math.max(...xs)], [left + 8, right - 8]);
  const yTicks = decadeTicks(points.map(({ y }) => y));
  const y = logScale([yTicks[0]!, yTicks.at(-1)!], [bottom, top]);
  // Numbers of clients are few and told exactly; rates of arrival are many.
  const xTicks = diagonal
    ? decadeTicks(xs).filter((tick) => tick >= Math.min(...xs) && tick <= Math.max(...xs))
    : distinct(xs).sort((a, b) => a - b);
  const parts = [
    `<text x="${left}" y="20" font-weight="600">${escapeText(title)}</text>`,
    ...yTicks.map(
      (tick) =>
        `<line class="grid" x1="${left}" x2="${right}" y1="${round(y(tick))}" y2="${round(y(tick))}"/><text x="${left - 8}" y="${round(y(tick) + 4)}" text-anchor="end">${label(tick)}</text>`,
    ),
    ...xTicks.map(
      (tick) =>
        `<line class="axis" x1="${round(x(tick))}" x2="${round(x(tick))}" y1="${bottom}" y2="${bottom + 5}"/><text x="${round(x(tick))}" y="${bottom + 19}" text-anchor="middle">${label(tick)}</text>`,
    ),
    `<line class="axis" x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>`,
    `<text x="${(left + right) / 2}" y="${bottom + 37}" text-anchor="middle">${escapeText(xLabel)}</text>`,
  ];
  if (diagonal) {
    const ends = [Math.max(Math.min(...xs), yTicks[0]!), Math.min(Math.max(...xs), yTicks.at(-1)!)] as const;
    parts.push(
      `<line class="axis" stroke-dasharray="4 4" x1="${round(x(ends[0]))}" y1="${round(y(ends[0]))}" x2="${round(x(ends[1]))}" y2="${round(y(ends[1]))}"/>`,
    );
  }
  // Ours last, so that it lies on top.
  for (const [name, own] of [...lines].sort(([a], [b]) => Number(a === OURS) - Number(b === OURS))) {
    const sorted = own.toSorted((a, b) => a.x - b.x);
    const path = sorted.map((point) => `${round(x(point.x))},${round(y(point.y))}`).join(" ");
    parts.push(
      `<polyline points="${path}" fill="none" stroke="${colour(name)}" stroke-width="${strokeOf(name)}" stroke-linejoin="round"/>`,
      ...sorted.map(
        (point) =>
          `<circle cx="${round(x(point.x))}" cy="${round(y(point.y))}" r="${strokeOf(name) + 0.8}" fill="${colour(name)}"/>`,
      ),
    );
  }
  return parts.join("");
}

/** Maps a range of positive numbers to pixels by their logarithms; a single value to the middle. */
export function logScale(
  [from, to]: [number, number],
  [start, end]: [number, number],
): (value: number) => number {
  const span = Math.log(to) - Math.log(from);
  return (value) =>
    span === 0 ? (start + end) / 2 : start + ((Math.log(value) - Math.log(from)) / span) * (end - start);
}

/** 1, 2 and 5 of every power of ten, from the last at or below the values to the first at or above them. */
export function decadeTicks(values: readonly number[]): number[] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(least)); power <= Math.ceil(Math.log10(most)); power++)
    for (const digit of [1, 2, 5]) ticks.push(Number(`${digit}e${power}`));
  const first = ticks.findLastIndex((tick) => tick <= least);
  const last = ticks.findIndex((tick) => tick >= most);
  const chosen = ticks.slice(Math.max(0, first), last + 1);
  const thinned =
    chosen.length > 9
      ? chosen.filter(
          (tick) => Number.isInteger(Math.log10(tick)) || tick === chosen[0] || tick === chosen.at(-1),
        )
      : chosen;
  return thinned.length > 1 ? thinned : [least / 2, most * 2];
}

const strokeOf = (name: string) => (name === OURS ? 3 : 1.8);
const round = (value: number) => Math.round(value * 10) / 10;
const label = (value: number) =>
  (value >= 1 ? Math.round(value * 10) / 10 : value).toLocaleString("en", { maximumFractionDigits: 3 });
const escapeText = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
