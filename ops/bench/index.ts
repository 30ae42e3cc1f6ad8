import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, constants, tmpdir } from "node:os";
import { join } from "node:path";
import { stopEngine } from "./engine/index.js";
import { jaiServer } from "./jai.js";
import { BOUNDS } from "./load/open-loop.js";
import { Prompts } from "./load/prompts.js";
import type { BenchModel } from "./load/system.js";
import { describeMachine, describeVersions } from "./machine.js";
import { prepareModels } from "./models.js";
import { type BenchOptions, readOptions } from "./options.js";
import { installPeers, peers } from "./peers/index.js";
import { ResultsFolder } from "./report/folder.js";
import { renderResults } from "./report/page.js";
import { emptyResults, type Results } from "./results/results.js";
import { closedSteps } from "./steps/closed.js";
import { conditionSteps } from "./steps/conditions.js";
import { engineSteps, reuseSteps } from "./steps/engine.js";
import { gridFor } from "./steps/grid.js";
import { Lineup, stopAll } from "./steps/lineup.js";
import { openSteps } from "./steps/open.js";
import type { Step } from "./steps/step.js";

export { flags, usage } from "./options.js";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * `jai bench`: measures the engine alone, then servers in processes of their own, with this process as their clients,
 * all on one machine. Systems that are compared are measured in turns.
 */
export async function run(args: string[]): Promise<void> {
  const options = readOptions(args);
  const folder = options.out === undefined ? null : new ResultsFolder(options.out);
  const scratch = mkdtempSync(join(tmpdir(), "jai-bench-"));
  const clear = async () => {
    stopEngine();
    await stopAll();
    rmSync(scratch, { recursive: true, force: true });
  };
  const interrupt = async (signal: NodeJS.Signals) => {
    await clear();
    process.exit(128 + constants.signals[signal]);
  };
  for (const signal of SIGNALS) process.once(signal, interrupt);
  try {
    await measure(options, args, scratch, folder);
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt);
    await clear();
  }
}

async function measure(
  options: BenchOptions,
  args: readonly string[],
  scratch: string,
  folder: ResultsFolder | null,
): Promise<void> {
  const { repeats, seconds, mostSeconds } = gridFor(options, true);
  const results = emptyResults({
    // Reports are for others, so they don't show this machine's folders.
    command: ["jai bench", ...args.map((arg) => arg.replace(/[^=]*\//, ""))].join(" "),
    machine: describeMachine(),
    versions: describeVersions(),
    settings: {
      threads: availableParallelism(),
      tokens: options.tokens,
      repeats,
      seconds,
      mostSeconds,
      bounds: BOUNDS,
    },
  });
  tell("preparing the models");
  const models = await prepareModels(options, scratch);
  results.models = models.map(({ config }) => config);
  if (options.peers) {
    tell("installing the peers");
    for (const reason of await installPeers()) tell(reason);
  }
  const steps = models.flatMap((model, i) => stepsOf(model, i === 0, options, results));
  for (const [i, { label, run }] of steps.entries()) {
    tell(`${i + 1}/${steps.length}: ${label}`);
    try {
      await run();
    } catch (error) {
      const reason = (error as Error).message.split("\n")[0]!;
      results.problems.push({ model: "", system: label, clients: null, reason });
    }
    folder?.save(results);
  }
  results.finished = new Date().toISOString();
  folder?.save(results);
  process.stdout.write(renderResults(results));
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

function stepsOf(model: BenchModel, isFirst: boolean, options: BenchOptions, results: Results): Step[] {
  const { parts } = options;
  const grid = gridFor(options, isFirst);
  const systems = [jaiServer, ...peers(options)];
  const lineup = new Lineup(model, new Prompts(model.reading, isFirst ? 1 : 2), results);
  return [
    ...(parts.has("engine") ? engineSteps(lineup, grid) : []),
    ...(parts.has("engine") && isFirst ? reuseSteps(lineup, jaiServer, grid) : []),
    ...(parts.has("closed") ? closedSteps(lineup, systems, grid) : []),
    ...(parts.has("conditions") ? conditionSteps(lineup, systems, grid) : []),
    // After the closed loop: the open loop's rates are shares of its result.
    ...(parts.has("open") ? openSteps(lineup, systems, grid) : []),
  ];
}
