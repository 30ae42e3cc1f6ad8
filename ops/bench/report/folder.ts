import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Results } from "../results/results.js";
import { renderResults } from "./page.js";
import { plot } from "./plot.js";

/** A run's three files. They are complete at any time, so a killed run leaves all that it has measured. */
export class ResultsFolder {
  /** @throws if the folder can't be made */
  constructor(readonly path: string) {
    mkdirSync(path, { recursive: true });
  }

  save(results: Results): void {
    this.#write("results.json", `${JSON.stringify(results, null, 1)}\n`);
    this.#write("results.svg", plot(results));
    this.#write("RESULTS.md", renderResults(results));
  }

  #write(name: string, text: string): void {
    const file = join(this.path, name);
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  }
}
