import type { Results } from "./results.js";
import { renderMarkdown, type Table } from "./table.js";
import { closedTables, engineTables, openTables, problemsTable, systemsTable } from "./tables.js";
import { targetsTable } from "./targets.js";

/** `RESULTS.md`: a run as a page to read, with the plot that lies beside it. */
export function renderResults(results: Results): string {
  const { machine, versions, settings } = results;
  const section = (title: string, tables: readonly Table[]) => {
    const filled = tables.filter(({ rows }) => rows.length > 0);
    return filled.length === 0 ? [] : [`## ${title}`, "", ...filled.map(renderMarkdown)];
  };
  const memory = `${(machine.memoryBytes / 2 ** 30).toFixed(0)} GiB`;
  return [
    "# Benchmark results",
    "",
    results.finished === null
      ? `Begun ${results.started}; not finished.`
      : `Measured ${results.started.slice(0, 10)}, in ${minutes(results)} minutes, by:`,
    "",
    "```sh",
    results.command,
    "```",
    "",
    `- Machine: ${machine.processor}, ${machine.cores} cores (${machine.instructions.join(", ")}; ${machine.caches.join(", ")}), ${memory} of memory, ${machine.system}`,
    `- Versions: ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")}`,
    `- ${settings.tokens} tokens an answer, temperature 0.8, top-k 50, the end of sequence ignored; prompts of 20 to 40 tokens, all different`,
    `- ${settings.repeats} repeats, the systems in turns, warm-up apart; medians. The clients share the machine with the servers.`,
    ...results.models.map(
      ({ name, layers, width, heads, context, vocabulary }) =>
        `- Model "${name}": ${layers} layers, ${width} wide, ${heads} heads, context ${context}, vocabulary ${vocabulary.toLocaleString("en")}`,
    ),
    "",
    "![Throughput and latency by number of clients](results.svg)",
    "",
    ...section("Targets", [{ ...targetsTable(results), title: "All from this run" }]),
    ...results.models.flatMap(({ name }) => [
      ...section(`Serving: ${name}`, [...closedTables(results, name), ...openTables(results, name)]),
      ...section(`Engine: ${name}`, engineTables(results, name)),
    ]),
    ...section("Systems", [systemsTable(results), problemsTable(results)]),
  ].join("\n");
}

function minutes({ started, finished }: Results): string {
  return ((Date.parse(finished!) - Date.parse(started)) / 60_000).toFixed(0);
}
