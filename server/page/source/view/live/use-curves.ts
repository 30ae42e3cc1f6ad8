import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { KEPT_SECONDS } from "../../state/recent-seconds.js";
import type { LiveTexts } from "../../texts/live/english.js";
import { useLiveTexts } from "../../texts/live/live.js";
import type { PlotProps } from "./plot-props.js";

const HEIGHT = 150;
const MINUTE = 60;
/** Seconds before now, oldest first. */
const times = Array.from({ length: KEPT_SECONDS }, (_, second) => second - KEPT_SECONDS + 1);
const dashes = [undefined, [5, 4]];

/** Draws the curves into an element. `pointed` is the place of the second under the pointer, or null. */
export function useCurves(props: PlotProps) {
  const texts = useLiveTexts();
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const [pointed, setPointed] = useState<number | null>(null);
  // The chart is made once, and asks for what may have changed since.
  const latest = useRef(props);
  latest.current = props;
  useEffect(() => {
    const element = host.current!;
    const made = new uPlot(optionsOf(element, latest, texts, setPointed), dataOf(latest.current), element);
    chart.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    const stopFollowing = followTheme(() => made.redraw(false));
    return () => {
      resized.disconnect();
      stopFollowing();
      made.destroy();
      chart.current = null;
    };
  }, [texts]);
  const values = props.lines.map((line) => line.values);
  useEffect(() => chart.current?.setData(dataOf(latest.current)), values);
  return { host, pointed };
}

const dataOf = ({ lines }: PlotProps) =>
  [times, ...lines.map(({ values }) => values)] as unknown as uPlot.AlignedData;

function optionsOf(
  element: HTMLElement,
  latest: { readonly current: PlotProps },
  texts: LiveTexts,
  point: (second: number | null) => void,
): uPlot.Options {
  // The canvas knows no custom properties: its colours are read from the page whenever it draws.
  const axis = {
    stroke: () => getComputedStyle(element).color,
    grid: { stroke: () => getComputedStyle(element).borderTopColor, width: 1 },
    ticks: { show: false },
    font: `11px ${getComputedStyle(element).fontFamily}`,
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    padding: [8, 16, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: "live" }, points: { size: 6 } },
    scales: {
      x: { time: false, range: [1 - KEPT_SECONDS, 0] },
      y: { range: (_, __, max) => [0, latest.current.most ?? scaleEnd(max)] },
    },
    axes: [
      {
        ...axis,
        size: 22,
        gap: 2,
        splits: () => [-4, -3, -2, -1, 0].map((minute) => minute * MINUTE),
        values: (_, splits) => splits.map((time) => (time === 0 ? texts.now : texts.ago(-time / MINUTE))),
      },
      {
        ...axis,
        size: 62,
        gap: 4,
        space: 36,
        values: (_, splits) => splits.map((value) => latest.current.write(value)),
      },
    ],
    series: [
      {},
      ...latest.current.lines.map((_, number) => ({
        stroke: () => getComputedStyle(element.parentElement!.querySelector(`.line-${number}`)!).color,
        width: 1.75,
        dash: dashes[number]!,
        points: { show: false },
      })),
    ],
    hooks: { setCursor: [({ cursor }) => point(cursor.idx ?? null)] },
  };
}

/** A scale that begins at 0 and does not jump with each small value. */
function scaleEnd(max: number | null): number {
  if (max === null || !(max > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(max));
  return power * ([1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((step) => step * power >= max * 1.05) ?? 12);
}

/** Calls back when the page's colours change. @returns a function that ends it */
function followTheme(callback: () => void): () => void {
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const changed = new MutationObserver(callback);
  changed.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  scheme.addEventListener("change", callback);
  return () => {
    changed.disconnect();
    scheme.removeEventListener("change", callback);
  };
}
