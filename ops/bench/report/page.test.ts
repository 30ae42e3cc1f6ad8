import assert from "node:assert/strict";
import { test } from "node:test";
import { tinyResults } from "./fixture.js";
import { renderResults } from "./page.js";

const rendered = renderResults({
  ...tinyResults(),
  started: "2030-01-01T10:00:00Z",
  finished: "2030-01-01T10:20:00Z",
});
/** The page without the padding in its tables. */
const page = rendered.replace(/ +/g, " ");

test("the page has the machine, command, versions and failures", () => {
  assert.ok(page.includes("Measured 2030-01-01, in 20 minutes"));
  assert.ok(page.includes("jai bench --peers"));
  assert.ok(page.includes("Abacus 2000, 2 cores (avx2)"));
  assert.ok(page.includes("node v20.0.0"));
  assert.match(page, /\| FastAPI \+ PyTorch \| vocabulary 99 \| any \| python3 has no torch \|/);
  assert.ok(!/NaN|undefined|null/.test(page));
});

for (const [what, row] of [
  [
    "the median of repeats, and their range below it",
    "| jai-server | 1,000 | 4,000 |\n| | 900–2,000 | 4,000–4,000 |",
  ],
  ["a single repeat without a range", "| node-llama-cpp | 100 | 500 |\n| jai-server's"],
  // 4000/4100, 4000/4000 and 4000/5000
  [
    "HTTP's share of the engine as the median of the repeats' own shares",
    "| jai-server over HTTP, of this | – | 98 % |",
  ],
  // 1/2, 2/3 and 3/4
  ["shares of a step as medians of the repeats' own", "| 1 | 32 | 3.00 | 2.00–4.00 | 333 | 67 % |"],
  ["an open loop", "| 25.0 | 20.0 | 80 % |"],
  ["refusals", "20 (20 with Retry-After)"],
  // 700/1000, 600/1200 and 900/1000
  [
    "rates beside other work, as shares of quiet ones in the same repeat",
    "| jai-server, beside a process that keeps a core busy | 700 |\n| | 600–900 |\n| of quiet | 70 % |",
  ],
  ["reuse of a prompt's beginning", "| 200 | 30.0 | 6.00 |"],
] as const)
  test(`the page has ${what}`, () => {
    assert.ok(page.includes(row), page);
  });

test("the page says if a run is unfinished", () => {
  assert.ok(renderResults(tinyResults()).includes("not finished"));
});

test("every table has as many cells in each row as columns", () => {
  const tables = rendered.match(/(^\|.*\n)+/gm) ?? [];
  assert.ok(tables.length > 7);
  for (const table of tables) {
    const cells = table
      .trim()
      .split("\n")
      .map((line) => line.split(" | ").length);
    assert.deepEqual(new Set(cells).size, 1, table);
  }
});
