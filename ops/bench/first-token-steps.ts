import { setTimeout as sleep } from "node:timers/promises";
import { measureEngine } from "./engine/index.js";
import { exchange, firstTokenMs } from "./exchange.js";
import type { Grid } from "./grid.js";
import type { Lineup } from "./lineup.js";
import type { Results } from "./results.js";
import { median } from "./statistics.js";
import type { Step } from "./step.js";
import type { Subject } from "./subject.js";
import type { BenchRequest, System } from "./system.js";

const LENGTHS = [24, 200];
const SHARED = 200;
const TIMES = 12;
const CLIENTS = 8;
/** Between lone requests, so that nothing of the last one is under way. */
const PAUSE_MS = 15;

/** Time to first token of lone requests over HTTP: against the bare prefill, and of a prompt whose beginning was just served. */
export function firstTokenSteps(
  subject: Subject,
  lineup: Lineup,
  ours: System,
  grid: Grid,
  results: Results,
): Step[] {
  const model = subject.bench.name;
  const { threads } = results.settings;
  const { n_positions: context } = subject.folder.config;
  const lengths = LENGTHS.map((tokens) => Math.min(tokens, Math.floor(0.8 * context)));
  const shared = Math.min(SHARED, Math.floor(0.8 * context));
  const label = `${model}: time to first token`;

  const repeats = Array.from(
    { length: grid.repeats },
    (_, repeat): Step => ({
      label,
      seconds: 4,
      run: async () => {
        const runner = lineup.runner(ours);
        if (!runner) return;
        const first = async (request: BenchRequest) => {
          await sleep(PAUSE_MS);
          const one = await exchange(runner.running.ask.bind(runner.running), request);
          return firstTokenMs(one) ?? one.ended - one.asked;
        };
        // One token: its time is the same whether the system streams or not.
        const http: number[] = [];
        for (const tokens of lengths) {
          const times: number[] = [];
          for (let i = 0; i < TIMES; i++) times.push(await first(lineup.request(1, runner.streams, tokens)));
          http.push(median(times));
        }
        const cold: number[] = [];
        const warm: number[] = [];
        for (let i = 0; i < TIMES; i++) {
          const [one, other] = lineup.twins(1, runner.streams, shared);
          cold.push(await first(one));
          warm.push(await first(other));
        }
        results.again.push({ model, repeat, shared, first: median(cold), again: median(warm) });
        const folder = subject.bench.folder;
        const engine = await measureEngine("firstToken", {
          folder,
          threads,
          lengths,
          times: TIMES,
          seed: repeat,
        });
        results.firstToken.push(...engine.map((row, i) => ({ model, repeat, ...row, http: http[i]! })));
      },
    }),
  );
  return [
    { label, seconds: 2, run: () => lineup.start(ours, CLIENTS) },
    ...repeats,
    { label, seconds: 1, run: () => lineup.stop(ours) },
  ];
}
