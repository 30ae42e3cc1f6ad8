import { measureEngine } from "./engine/index.js";
import type { Grid } from "./grid.js";
import type { Precision, Results } from "./results.js";
import type { Step } from "./step.js";
import type { Subject } from "./subject.js";

/** The batch that a prompt joins, and the prompt. */
const JOINED = { batch: 16, prompt: 200, every: 40 };
const MEMORY_SLOTS = [8, 64];

/** Everything of the engine that needs no server. */
export function engineSteps(subject: Subject, grid: Grid, results: Results): Step[] {
  const { threads } = results.settings;
  const model = subject.bench.name;
  const { n_positions: context } = subject.folder.config;
  const precisions = grid.precisions.filter((one) => subject.folders[one] !== undefined);
  // A model that came as a folder is measured in the precision that it has.
  const measured = precisions.length > 0 ? precisions : (Object.keys(subject.folders) as Precision[]);
  const folder = subject.bench.folder;
  const steps: Step[] = [];

  for (let repeat = 0; repeat < grid.repeats; repeat++) {
    for (const precision of measured) {
      if (precision !== subject.folder.config.precision && repeat >= grid.fewRepeats) continue;
      const cells = grid.batches.length * grid.depths.length;
      steps.push({
        label: `${model}: engine steps, ${precision}`,
        seconds: 2 + cells * (0.4 + grid.cellMilliseconds / 1000) + grid.prefills.length * 0.5,
        run: async () => {
          const { decode, prefill } = await measureEngine("steps", {
            folder: subject.folders[precision]!,
            threads,
            batches: [...grid.batches],
            depths: [...grid.depths],
            prefills: grid.prefills.map((tokens) => Math.min(tokens, context - 1)),
            milliseconds: grid.cellMilliseconds,
          });
          results.decode.push(...decode.map((row) => ({ model, repeat, precision, ...row })));
          results.prefill.push(...prefill.map((row) => ({ model, repeat, precision, ...row })));
        },
      });
    }
    steps.push({
      label: `${model}: engine, a prompt joins a batch`,
      seconds: 1 + grid.joins * 0.35,
      run: async () => {
        const prompt = Math.min(JOINED.prompt, Math.floor(0.8 * context));
        const figures = await measureEngine("joining", {
          ...JOINED,
          folder,
          threads,
          prompt,
          joins: grid.joins,
        });
        results.joining.push({ model, repeat, ...figures });
      },
    });
    steps.push({
      label: `${model}: engine, memory`,
      seconds: 3,
      run: async () => {
        const resident: { slots: number; bytes: number }[] = [];
        for (const slots of MEMORY_SLOTS)
          resident.push({ slots, bytes: await measureEngine("memory", { folder, threads, slots }) });
        results.memory.push({ model, repeat, resident, cacheBytesPerSlot: subject.cacheBytesPerSlot });
      },
    });
  }
  return steps;
}
