import { join } from "node:path";
import type { Grid } from "./grid.js";
import { measureLlamaEngine } from "./llama-engine.js";
import type { NamedPath } from "./options.js";
import { writeGgufModel } from "./peers/gguf-model.js";
import type { Results } from "./results.js";
import type { Step } from "./step.js";
import type { Subject } from "./subject.js";

const BATCHES = [1, 8, 16, 32];
const REPEATS = 2;

/** The engines of llama.cpp servers without HTTP, in the half of the window in which ours is measured too. */
export function llamaSteps(
  { bench, folder }: Subject,
  servers: readonly NamedPath[],
  grid: Grid,
  results: Results,
): Step[] {
  const model = bench.name;
  const gguf = join(bench.work, "engine.gguf");
  const quarter = Math.floor(folder.config.n_positions / 4);
  if (servers.length === 0) return [];
  const measured = servers.flatMap(({ name, path }) =>
    Array.from(
      { length: Math.min(REPEATS, grid.repeats) },
      (_, repeat): Step => ({
        label: `${model}: engine of ${name}`,
        seconds: 8,
        run: async () => {
          const { threads } = results.settings;
          const wishes = { threads, batches: BATCHES, prompt: quarter, answer: quarter };
          const figures = await measureLlamaEngine(path, gguf, wishes);
          results.peerEngines.push(...figures.map((row) => ({ model, system: name, repeat, ...row })));
        },
      }),
    ),
  );
  const write = {
    label: `${model}: writing the GGUF`,
    seconds: 2,
    run: () => writeGgufModel(bench.checkpoint, bench.tokenizer, gguf),
  };
  return [write, ...measured];
}
