import { setTimeout as sleep } from "node:timers/promises";
import { measureEngine } from "../engine/index.js";
import { exchange, firstTokenMs } from "../load/exchange.js";
import type { BenchRequest, System } from "../load/system.js";
import type { Precision } from "../results/results.js";
import { median } from "../results/statistics.js";
import type { Grid } from "./grid.js";
import type { Lineup } from "./lineup.js";
import type { Step } from "./step.js";

/** Shared first tokens of a pair of prompts, and how many pairs are timed. */
const SHARED = 200;
const PAIRS = 12;
/** Pause between lone requests, so that no work of the last one is left. */
const PAUSE_MS = 15;

/** Steps that measure our engine without a server. */
export function engineSteps({ model, results }: Lineup, grid: Grid): Step[] {
  const { config, folders } = model;
  // A model given as a folder is measured in its own precision.
  const own = (Object.keys(folders) as Precision[]).filter((one) => grid.precisions.includes(one));
  const precisions = own.length > 0 ? own : [config.precision];
  const measure = async (repeat: number, precision: Precision) => {
    const { decode, prefill } = await measureEngine("steps", {
      folder: folders[precision]!,
      threads: results.settings.threads,
      batches: [...grid.batches],
      depths: [...grid.depths],
      prefills: grid.prefills.map((tokens) => Math.min(tokens, config.n_positions - 1)),
      milliseconds: grid.cellMilliseconds,
    });
    const cell = { model: config.name, repeat, precision };
    results.decode.push(...decode.map((row) => ({ ...cell, ...row })));
    results.prefill.push(...prefill.map((row) => ({ ...cell, ...row })));
  };
  return Array.from({ length: grid.repeats }, (_, repeat) =>
    precisions
      .filter((precision) => precision === config.precision || repeat < grid.fewRepeats)
      .map((precision) => ({
        label: `${config.name}: engine steps, ${precision}`,
        run: () => measure(repeat, precision),
      })),
  ).flat();
}

/**
 * Steps that measure the time to first token of lone requests over HTTP: new prompts, and prompts just partly served.
 */
export function reuseSteps(lineup: Lineup, system: System, grid: Grid): Step[] {
  const { prompts, results } = lineup;
  const { name, n_positions: context } = lineup.model.config;
  const label = `${name}: time to first token`;
  const shared = Math.min(SHARED, Math.floor(0.8 * context));
  const measure = (repeat: number) =>
    lineup.measure(system, async ({ ask, streams }) => {
      const timed = async (request: BenchRequest) => {
        await sleep(PAUSE_MS);
        const one = await exchange(ask, request);
        return firstTokenMs(one) ?? one.ended - one.asked;
      };
      const [first, again] = [[] as number[], [] as number[]];
      for (let pair = 0; pair < PAIRS; pair++) {
        // Ask for one token, whose time is the same with and without streaming.
        const [one, other] = prompts.twins(1, streams, shared);
        first.push(await timed(one));
        again.push(await timed(other));
      }
      results.reuse.push({ model: name, repeat, shared, first: median(first), again: median(again) });
    });
  return [
    { label, run: () => lineup.start(system, 8) },
    ...Array.from({ length: grid.repeats }, (_, repeat) => ({ label, run: () => measure(repeat) })),
    { label, run: () => lineup.stop(system) },
  ];
}
