// Runs a part of the tests on each supported version of Node, whose binaries come from npm packages.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isExpectedSkip } from "../test/expected-skips.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const dist = join(here, "../../dist");
const { optionalDependencies } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
/**
 * Tests of code that may behave differently on another version: native code, threads, typed arrays, regular
 * expressions.
 */
const UNITS = [
  "models/tokenizer/detokenizer.test.js",
  "server/pool/pool.test.js",
  "workers/engine/cache/kv-cache.test.js",
  "workers/engine/sampling/sampler.test.js",
  "workers/grammar/grammar.test.js",
];
/** Only for long runs: these take half a minute more per version. */
const LONG_UNITS = [
  "models/tokenizer/tokenizer.test.js",
  ...["bit-exact", "cancelling", "drawing", "failing", "forms", "prefix-reuse", "turns", "window"].map(
    (name) => `workers/engine/${name}.test.js`,
  ),
];

/** Declares the tests of one major version. On the running version only the smoke test: the suite has the others. */
export function testOn(major) {
  const name = `node${major}-${process.platform}-${process.arch}`;
  const version = optionalDependencies[name]?.split("@").at(-1);
  const binary = join(here, "node_modules", name, "bin", process.platform === "win32" ? "node.exe" : "node");
  const skip =
    version === undefined
      ? `needs a package of Node ${major} for ${process.platform} ${process.arch}`
      : !existsSync(binary) && `${name} is not installed: npm ci in ops/nodes, which npm test runs, failed`;
  const isOurs = process.version.startsWith(`v${major}.`);
  const units = isOurs ? [] : [...UNITS, ...(process.env.LONG_TESTS === "1" ? LONG_UNITS : [])];
  for (const file of ["ops/nodes/smoke.js", ...units])
    test(`${file.replace(".js", "")} on Node ${version ?? major}`, { skip }, () => {
      assert.equal(spawnSync(binary, ["--version"], { encoding: "utf8" }).stdout, `v${version}\n`);
      // The child must not write into this run's report or coverage, and tries only few random cases.
      const { NODE_TEST_CONTEXT: _, NODE_V8_COVERAGE: __, LONG_TESTS: ___, ...env } = process.env;
      const { status, stdout, stderr } = spawnSync(binary, ["--test-reporter=tap", join(dist, file)], {
        encoding: "utf8",
        env,
        maxBuffer: 1 << 26,
      });
      const counted = (what) => Number(new RegExp(`^# ${what} (\\d+)$`, "m").exec(stdout)?.[1]);
      assert.equal(status, 0, `${stdout}${stderr}`);
      assert.ok(counted("pass") > 1, stdout);
      assert.equal(counted("fail") + counted("cancelled") + counted("todo"), 0, stdout);
      const skips = [...stdout.matchAll(/# SKIP(.*)$/gm)].map(([, reason]) => reason.trim());
      assert.deepEqual(
        skips.filter((reason) => !isExpectedSkip(reason)),
        [],
      );
    });
}
