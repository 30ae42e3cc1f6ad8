// `npm test [-- FILTER…]`: runs every compiled test, or those whose path holds one of the filters, under node's runner,
// and ends with a line that counts them.
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";

const LONGEST_TEST_MS = 300_000;

const dist = join(dirname(dirname(fileURLToPath(import.meta.url))), "dist");
const filters = process.argv.slice(2);
const files = readdirSync(dist, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".test.js"))
  .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
  .sort()
  .map((file) => join(dist, file));
if (files.length === 0) {
  process.stderr.write(`no test file matches ${filters.join(" ")}\n`);
  process.exit(1);
}

process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ""} --enable-source-maps`;
const counts = { passed: 0, failed: 0, skipped: 0 };
const events = run({ files, timeout: LONGEST_TEST_MS });
const count = (result) => (event) => {
  if (event.details.type === "suite") return;
  counts[event.skip !== undefined && event.skip !== false ? "skipped" : result]++;
};
events.on("test:pass", count("passed")).on("test:fail", count("failed"));
events.compose(new spec()).pipe(process.stdout);
events.on("end", () => {
  process.once("exit", () => {
    const { passed, failed, skipped } = counts;
    process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`);
  });
  process.exitCode = counts.failed > 0 || counts.passed === 0 ? 1 : 0;
});
