import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { renderResults } from "./markdown.js";
import { plot } from "./plot.js";
import type { Results } from "./results.js";

/** Where a run's results lie, whole at every moment: a run that is killed leaves all that it measured. */
export class ResultsFolder {
  readonly #path: string;

  /** @throws where the folder can't be made */
  constructor(path: string) {
    this.#path = path;
    mkdirSync(path, { recursive: true });
  }

  save(results: Results): void {
    this.#write("results.json", `${JSON.stringify(results, null, 1)}\n`);
    this.#write("results.svg", plot(results));
    this.#write("RESULTS.md", renderResults(results));
  }

  #write(name: string, text: string): void {
    const file = join(this.#path, name);
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  }
}
