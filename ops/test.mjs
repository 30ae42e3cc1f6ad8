// `npm test [-- FILTER…] [--coverage]`: runs every compiled test, or those whose path contains one of the filters, with
// node's test runner, and prints the counts. Tests of the server's clients and of other versions of Node have their own
// packages and are not compiled.
//
// Variables: with CI, an unexplained skip is a failure; LONG_TESTS=1 tries more random cases; TEST_SEED changes them;
// COVERAGE=1 is the same as --coverage.
import { randomInt } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";
import { coverageTable } from "./test/coverage.mjs";
import { isExpectedSkip } from "./test/expected-skips.mjs";
import { installPackage } from "./test/install.mjs";

/** Time limit for a whole file: one that takes longer hangs. */
const LONGEST_TEST_MS = 600_000;
/**
 * Cap on files that run at once. Each is a process, and many start a server or wait for one: one file more than cores
 * keeps the cores busy.
 */
const MOST_AT_ONCE = 4;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const isCi = !["", "0", "false"].includes(process.env.CI ?? "");
const options = process.argv.slice(2).filter((argument) => argument.startsWith("--"));
const filters = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const unknown = options.find((option) => option !== "--coverage");
if (unknown) fail(`expected FILTER… and --coverage, got ${unknown}`, 2);

/** The selected tests in `folder`. Filters apply to paths relative to `seenFrom`. */
function select(folder, ending, seenFrom = root) {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(ending) && !/(^|[\\/])node_modules[\\/]/.test(name))
    .map((name) => relative(seenFrom, join(folder, name)).replaceAll("\\", "/"))
    .filter((name) => filters.length === 0 || filters.some((filter) => name.includes(filter)))
    .sort()
    .map((name) => join(seenFrom, name));
}

const dist = join(root, "dist");
const compiled = select(dist, ".test.js", dist);
const others = ["server/clients", "ops/nodes"].flatMap((name) => {
  const tests = select(join(root, name), ".test.mjs");
  if (tests.length > 0) installPackage(join(root, name));
  return tests;
});
// The longest tests start first, so that cores don't wait for them at the end.
const files = [...others, ...compiled];
if (files.length === 0) fail(`no test file matches ${filters.join(" ")}`, 1);

if (process.env.LONG_TESTS === "1") process.env.TEST_SEED ??= String(randomInt(1, 1_000_000));
process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ""} --enable-source-maps`;
const isCovered = options.includes("--coverage") || process.env.COVERAGE === "1";
const coverage = isCovered && mkdtempSync(join(tmpdir(), "jai-coverage-"));
if (coverage) process.env.NODE_V8_COVERAGE = coverage;

const counts = { passed: 0, failed: 0, skipped: 0 };
/** Lines about skips and failures that node's report lacks. */
const remarks = [];
const concurrency = Math.min(availableParallelism() + 1, MOST_AT_ONCE);
const events = run({ files, concurrency, timeout: LONGEST_TEST_MS });

function count(result, { name, file, skip, details }) {
  if (skip !== undefined && skip !== false) {
    const isExpected = isExpectedSkip(skip);
    const label = isExpected ? "skipped" : isCi ? "failed: skipped without need" : "skipped without need";
    remarks.push(`${label}: ${name} (${relative(root, file ?? "")}): ${skip === true ? "no reason" : skip}`);
    counts[isExpected || !isCi ? "skipped" : "failed"]++;
  } else if (result === "passed" && name === file) {
    // Node reports a file without tests as a passed test.
    remarks.push(`failed: ${relative(root, file)}: expected tests, got none`);
    counts.failed++;
  } else if (details.type !== "suite") counts[result]++;
}

events.on("test:pass", (event) => count("passed", event)).on("test:fail", (event) => count("failed", event));
events.compose(new spec()).pipe(process.stdout);
process.once("exit", () => {
  if (coverage) {
    process.stdout.write(coverageTable(coverage, dist));
    rmSync(coverage, { recursive: true });
  }
  for (const remark of remarks) process.stdout.write(`${remark}\n`);
  const { passed, failed, skipped } = counts;
  if (failed > 0 && process.env.TEST_SEED)
    process.stdout.write(`random cases drawn with TEST_SEED=${process.env.TEST_SEED}\n`);
  process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
});

function fail(message, status) {
  process.stderr.write(`${message}\n`);
  process.exit(status);
}
