import type { Grid } from "./grid.js";
import { measureLlamaEngine } from "./llama-engine.js";
import type { NamedPath } from "./options.js";
import { ggufFile } from "./peers/derived.js";
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
  const quarter = Math.floor(folder.config.n_positions / 4);
  return servers.flatMap(({ name, path }) =>
    Array.from(
      { length: Math.min(REPEATS, grid.repeats) },
      (_, repeat): Step => ({
        label: `${model}: engine of ${name}`,
        seconds: 8,
        run: async () => {
          const { threads } = results.settings;
          const wishes = { threads, batches: BATCHES, prompt: quarter, answer: quarter };
          const figures = await measureLlamaEngine(path, await ggufFile(bench), wishes);
          results.peerEngines.push(...figures.map((row) => ({ model, system: name, repeat, ...row })));
        },
      }),
    ),
  );
}
