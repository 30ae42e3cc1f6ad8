import assert from "node:assert/strict";
import { test } from "node:test";
import { tinyResults } from "./fixture.js";
import { renderResults } from "./markdown.js";

test("the page tells machine, command, versions, tables, targets and what could not be measured", () => {
  const page = renderResults({
    ...tinyResults(),
    started: "2030-01-01T10:00:00Z",
    finished: "2030-01-01T10:20:00Z",
  });
  assert.ok(page.includes("Measured 2030-01-01, in 20 minutes"));
  assert.ok(page.includes("jai bench --peers"));
  assert.ok(page.includes("Abacus 2000, 2 cores (avx2; L3 32 MB)"));
  assert.ok(page.includes("node v20.0.0"));
  assert.match(page, /\| jai-server \| 1,000 \| 4,000 \|/);
  assert.match(
    page,
    /\| tokens\/s over HTTP against node-llama-cpp, 1 client \| at least 5 \| 10\.0 \| met \|/,
  );
  assert.match(page, /\| FastAPI \+ PyTorch \| vocabulary 99 \| any \| python3 has no torch \|/);
  assert.ok(page.includes("20 (20 with Retry-After)"));
  assert.ok(!/NaN|undefined|null/.test(page));
});

test("an unfinished run says so", () => {
  assert.ok(renderResults(tinyResults()).includes("not finished"));
});

test("every table has as many cells in each row as columns", () => {
  const lines = renderResults(tinyResults()).split("\n");
  for (const [i, line] of lines.entries()) {
    if (!line.startsWith("|") || !lines[i - 1]?.startsWith("|")) continue;
    const cells = (text: string) => text.split(" | ").length;
    if (!line.startsWith("| --"))
      assert.equal(
        cells(line),
        cells(lines[i - 1]!.startsWith("| --") ? lines[i - 2]! : lines[i - 1]!),
        line,
      );
  }
});
