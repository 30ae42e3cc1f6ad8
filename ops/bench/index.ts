import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, constants, tmpdir } from "node:os";
import { join } from "node:path";
import { closedSteps } from "./closed-steps.js";
import { stopEngine } from "./engine/index.js";
import { engineSteps } from "./engine-steps.js";
import { firstTokenSteps } from "./first-token-steps.js";
import { gridFor } from "./grid.js";
import { jaiServer } from "./jai.js";
import { Lineup, stopAll } from "./lineup.js";
import { llamaSteps } from "./llama-steps.js";
import { describeMachine, describeVersions } from "./machine.js";
import { BOUNDS } from "./open-loop.js";
import { openSteps } from "./open-steps.js";
import { type BenchOptions, readOptions } from "./options.js";
import { installPeers, peers } from "./peers/index.js";
import { Progress } from "./progress.js";
import { Prompts } from "./prompts.js";
import { emptyResults, type Results } from "./results.js";
import { ResultsFolder } from "./results-folder.js";
import type { Step } from "./step.js";
import { modelRow, prepareSubjects, type Subject } from "./subject.js";
import type { System } from "./system.js";
import { renderText, type Table } from "./table.js";
import { closedTables, engineTables, openTables, problemsTable } from "./tables.js";
import { targetsTable } from "./targets.js";

export { usage } from "./options.js";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * `jai bench`: the engine alone, then servers in processes of their own with this process as their clients, on the same
 * machine. Everything that is compared is measured in turns.
 */
export async function run(args: string[]): Promise<void> {
  const options = readOptions(args);
  const folder = options.out === null ? null : new ResultsFolder(options.out);
  const scratch = mkdtempSync(join(tmpdir(), "jai-bench-"));
  const remove = () => rmSync(scratch, { recursive: true, force: true });
  const interrupt = async (signal: NodeJS.Signals) => {
    stopEngine();
    await stopAll();
    remove();
    process.exit(128 + constants.signals[signal]);
  };
  for (const signal of SIGNALS) process.once(signal, interrupt);
  try {
    await measure(options, args, scratch, folder);
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt);
    await stopAll();
    remove();
  }
}

async function measure(
  options: BenchOptions,
  args: readonly string[],
  scratch: string,
  folder: ResultsFolder | null,
): Promise<void> {
  const grid = gridFor(options, "first");
  const results = emptyResults({
    // A report is for others: where its files lay on this machine is none of their business.
    command: ["jai bench", ...args.map((arg) => arg.replace(/[^=]*\//, ""))].join(" "),
    machine: describeMachine(),
    versions: describeVersions(),
    settings: {
      threads: availableParallelism(),
      tokens: options.tokens,
      repeats: grid.repeats,
      seconds: grid.seconds,
      mostSeconds: grid.mostSeconds,
      llamaServers: options.llamaServers.map(({ name }) => name),
      bounds: BOUNDS,
    },
  });
  process.stderr.write("preparing the models\n");
  const subjects = await prepareSubjects(options, scratch);
  results.models = subjects.map(modelRow);
  if (options.peers) {
    process.stderr.write("installing the peers\n");
    for (const reason of await installPeers()) process.stderr.write(`${reason}\n`);
  }
  const others = otherSystems(options);

  const sections = subjects.flatMap((subject, i) =>
    sectionsOf(subject, [jaiServer, ...others], i === 0 ? "first" : "second", options, results),
  );
  const progress = new Progress(sections.flatMap(({ steps }) => steps));
  for (const { steps, tables } of sections) {
    for (const step of steps) {
      progress.start(step);
      try {
        await step.run();
      } catch (error) {
        results.problems.push({ model: "", system: step.label, clients: null, reason: oneLine(error) });
      }
      progress.end(step);
      folder?.save(results);
    }
    for (const table of tables().filter(({ rows }) => rows.length > 0)) progress.print(renderText(table));
  }
  progress.finish();
  results.finished = new Date().toISOString();
  folder?.save(results);
  for (const table of [targetsTable(results, "measured"), problemsTable(results)])
    if (table.rows.length > 0) progress.print(renderText(table));
}

function otherSystems({ peers: all, llamaServers }: BenchOptions): System[] {
  const named = llamaServers.map(({ name, path }) => `${name}=${path}`);
  const others = peers({ llamaServers: named });
  // Those that were given by a path come last, and are measured without the rest too.
  return all ? others : others.slice(others.length - named.length);
}

function oneLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0]!;
}

/** Steps, and what can be told when they are done. */
interface Section {
  steps: Step[];
  tables: () => Table[];
}

function sectionsOf(
  subject: Subject,
  systems: readonly System[],
  which: "first" | "second",
  options: BenchOptions,
  results: Results,
): Section[] {
  const { parts } = options;
  const grid = gridFor(options, which);
  const { name } = subject.bench;
  const prompts = new Prompts((text) => subject.folder.tokenizer.encode(text), which === "first" ? 1 : 2);
  const lineup = new Lineup(subject.bench, prompts, results);
  const sections: Section[] = [];
  if (parts.has("engine")) {
    const steps = [
      ...engineSteps(subject, grid, results),
      ...llamaSteps(subject, options.llamaServers, grid, results),
      ...(which === "first" ? firstTokenSteps(subject, lineup, jaiServer, grid, results) : []),
    ];
    sections.push({ steps, tables: () => engineTables(results, name) });
  }
  if (parts.has("closed"))
    sections.push({
      steps: closedSteps(subject, lineup, systems, grid, results),
      tables: () => closedTables(results, name),
    });
  // Its rates are shares of what the closed loop found.
  if (parts.has("closed") && parts.has("open"))
    sections.push({
      steps: openSteps(lineup, systems, grid, results),
      tables: () => openTables(results, name),
    });
  return sections;
}
