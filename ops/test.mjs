// `npm test [-- FILTER…]`: runs every compiled test, or those whose path holds one of the filters, under node's runner,
// and ends with a line that counts them. Tests of the server's clients have packages of their own, and are not compiled.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";

const LONGEST_TEST_MS = 300_000;
/** No more, where no registry answers. */
const INSTALL_MS = 120_000;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const clients = join(root, "server/clients");
const filters = process.argv.slice(2);

/** Paths of the tests that are asked for, `folder` being what filters don't see of them. */
function select(folder, names, ending) {
  return names
    .filter((name) => name.endsWith(ending))
    .filter((name) => filters.length === 0 || filters.some((filter) => name.includes(filter)))
    .sort()
    .map((name) => join(folder, name));
}

const dist = join(root, "dist");
const compiled = select(dist, readdirSync(dist, { recursive: true, encoding: "utf8" }), ".test.js");
const ofClients = select(
  root,
  readdirSync(clients).map((name) => join("server/clients", name)),
  ".test.mjs",
);
if (ofClients.length > 0) installClients();
const files = [...compiled, ...ofClients];
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

/** Installs the clients that their lock file names; where that fails, their tests say so and are skipped. */
function installClients() {
  const lock = createHash("sha256")
    .update(readFileSync(join(clients, "package-lock.json")))
    .digest("hex");
  const stamp = join(clients, "node_modules/.jai-installed");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  process.stderr.write("jai-server: installing the clients that are tested\n");
  const { status } = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: clients,
    stdio: ["ignore", 2, 2],
    timeout: INSTALL_MS,
    shell: process.platform === "win32",
  });
  if (status === 0) writeFileSync(stamp, lock);
}
