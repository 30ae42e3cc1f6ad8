import type { Results } from "../results/results.js";
import { renderTable, type Table } from "./table.js";
import {
  closedTables,
  conditionsTable,
  engineTables,
  openTable,
  problemsTable,
  systemsTable,
} from "./tables.js";

/** Makes `RESULTS.md`: a run as a readable page, with the plot beside it. */
export function renderResults(results: Results): string {
  const { machine, versions, settings, started, finished } = results;
  const minutes = (Date.parse(finished ?? "") - Date.parse(started)) / 60_000;
  const memory = `${(machine.memoryBytes / 2 ** 30).toFixed(0)} GiB`;
  const section = (title: string, tables: readonly Table[]) => {
    const filled = tables.filter(({ rows }) => rows.length > 0);
    return filled.length === 0 ? [] : [`## ${title}`, "", ...filled.map(renderTable)];
  };
  return [
    "# Benchmark results",
    "",
    finished === null
      ? `Begun ${started}; not finished.`
      : `Measured ${started.slice(0, 10)}, in ${minutes.toFixed(0)} minutes, by:`,
    "",
    "```sh",
    results.command,
    "```",
    "",
    `- Machine: ${machine.processor}, ${machine.cores} cores (${machine.instructions.join(", ")}), ${memory} of memory, ${machine.system}`,
    `- Versions: ${Object.entries(versions)
      .map((entry) => entry.join(" "))
      .join(", ")}`,
    `- ${settings.tokens} tokens an answer, temperature 0.8, top-k 50, the end of sequence ignored; prompts of 20 to 40 tokens, all different`,
    `- ${settings.repeats} repeats, the systems in turns, warm-up apart; medians. The clients share the machine with the servers.`,
    ...results.models.map(
      ({ name, n_layer, n_embd, n_head, n_positions, vocab_size }) =>
        `- Model "${name}": ${n_layer} layers, ${n_embd} wide, ${n_head} heads, context ${n_positions}, vocabulary ${vocab_size.toLocaleString("en")}`,
    ),
    "",
    "![Throughput and latency by number of clients](results.svg)",
    "",
    ...results.models.flatMap(({ name }) => [
      ...section(`Serving: ${name}`, [
        ...closedTables(results, name),
        conditionsTable(results, name),
        openTable(results, name),
      ]),
      ...section(`Engine: ${name}`, engineTables(results, name)),
    ]),
    ...section("Systems", [systemsTable(results), problemsTable(results)]),
  ].join("\n");
}
