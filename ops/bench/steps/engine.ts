import { setTimeout as sleep } from "node:timers/promises";
import { measureEngine } from "../engine/index.js";
import type { Grid } from "../grid.js";
import type { Lineup } from "../lineup.js";
import { exchange, firstTokenMs } from "../load/exchange.js";
import type { LlamaServer } from "../options.js";
import { measureLlamaEngine } from "../peers/llama-engine.js";
import type { Precision } from "../results.js";
import { median } from "../statistics.js";
import type { BenchRequest, System } from "../system.js";
import type { Step } from "./step.js";

/** The batch that a prompt joins, and the prompt. */
const JOINED = { batch: 16, prompt: 200, every: 40 };
const LLAMA_BATCHES = [1, 8, 16, 32];
/** Of prompts that begin alike. */
const SHARED = 200;
const PAIRS = 12;
/** Between lone requests, so that nothing of the last one is under way. */
const PAUSE_MS = 15;

/** Our engine without a server. */
export function engineSteps({ model, results }: Lineup, grid: Grid): Step[] {
  const { threads } = results.settings;
  const { name, config, folder, folders } = model;
  // A model that came as a folder is measured in the precision that it has.
  const own = (Object.keys(folders) as Precision[]).filter((one) => grid.precisions.includes(one));
  const precisions = own.length > 0 ? own : [config.precision];
  return Array.from({ length: grid.repeats }, (_, repeat): Step[] => {
    const steps = precisions
      .filter((precision) => precision === config.precision || repeat < grid.fewRepeats)
      .map((precision) => ({
        label: `${name}: engine steps, ${precision}`,
        run: async () => {
          const { decode, prefill } = await measureEngine("steps", {
            folder: folders[precision]!,
            threads,
            batches: [...grid.batches],
            depths: [...grid.depths],
            prefills: grid.prefills.map((tokens) => Math.min(tokens, config.n_positions - 1)),
            milliseconds: grid.cellMilliseconds,
          });
          const cell = { model: name, repeat, precision };
          results.decode.push(...decode.map((row) => ({ ...cell, ...row })));
          results.prefill.push(...prefill.map((row) => ({ ...cell, ...row })));
        },
      }));
    const joining = async () => {
      const prompt = Math.min(JOINED.prompt, Math.floor(0.8 * config.n_positions));
      const input = { ...JOINED, folder, threads, prompt, joins: grid.joins };
      results.joining.push({ model: name, repeat, ...(await measureEngine("joining", input)) });
    };
    return [...steps, { label: `${name}: engine, a prompt joins a batch`, run: joining }];
  }).flat();
}

/** The engines of llama.cpp servers without HTTP, in the half of the window in which ours is measured too. */
export function llamaEngineSteps(
  { model, results }: Lineup,
  servers: readonly LlamaServer[],
  grid: Grid,
): Step[] {
  const quarter = Math.floor(model.config.n_positions / 4);
  return servers.flatMap(({ name, path }) =>
    Array.from({ length: grid.fewRepeats }, (_, repeat) => ({
      label: `${model.name}: engine of ${name}`,
      run: async () => {
        const { threads } = results.settings;
        const wishes = { threads, batches: LLAMA_BATCHES, prompt: quarter, answer: quarter };
        const rows = await measureLlamaEngine(path, await model.gguf(), wishes);
        results.peerEngines.push(...rows.map((row) => ({ model: model.name, system: name, repeat, ...row })));
      },
    })),
  );
}

/** Time to first token of lone requests over HTTP, whose prompts are new, and whose beginnings were just served. */
export function reuseSteps(lineup: Lineup, system: System, grid: Grid): Step[] {
  const { model, prompts, results } = lineup;
  const label = `${model.name}: time to first token`;
  const shared = Math.min(SHARED, Math.floor(0.8 * model.config.n_positions));
  const measure = (repeat: number) =>
    lineup.measure(system, async ({ ask, streams }) => {
      const timed = async (request: BenchRequest) => {
        await sleep(PAUSE_MS);
        const one = await exchange(ask, request);
        return firstTokenMs(one) ?? one.ended - one.asked;
      };
      const [first, again] = [[] as number[], [] as number[]];
      for (let pair = 0; pair < PAIRS; pair++) {
        // One token: its time is the same whether the system streams or not.
        const [one, other] = prompts.twins(1, streams, shared);
        first.push(await timed(one));
        again.push(await timed(other));
      }
      const figures = { shared, first: median(first), again: median(again) };
      results.reuse.push({ model: model.name, repeat, ...figures });
    });
  return [
    { label, run: () => lineup.start(system, 8) },
    ...Array.from({ length: grid.repeats }, (_, repeat) => ({ label, run: () => measure(repeat) })),
    { label, run: () => lineup.stop(system) },
  ];
}
