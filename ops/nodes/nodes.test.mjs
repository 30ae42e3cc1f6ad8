// A part of the suite on each version of Node that the package supports, by binaries that npm has packages of.
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
/** All of them hold by themselves what runs differently on another version: native code, threads, regular expressions. */
const UNITS = [
  "models/tokenizer.test.js",
  "server/pool.test.js",
  "workers/engine/engine.test.js",
  "workers/grammar/grammar.test.js",
];

for (const major of [20, 22, 24]) {
  const name = `node${major}-${process.platform}-${process.arch}`;
  const version = optionalDependencies[name]?.split("@").at(-1);
  const binary = join(here, "node_modules", name, "bin", process.platform === "win32" ? "node.exe" : "node");
  const skip =
    version === undefined
      ? `needs a package of Node ${major} for ${process.platform} ${process.arch}`
      : !existsSync(binary) && `${name} is not installed: npm ci in ops/nodes, which npm test runs, failed`;
  // The whole suite runs on the version at hand.
  const files = ["ops/nodes/smoke.js", ...(process.version.startsWith(`v${major}.`) ? [] : UNITS)];
  for (const file of files)
    test(`${file.replace(".js", "")} on Node ${version ?? major}`, { skip }, () => {
      assert.equal(spawnSync(binary, ["--version"], { encoding: "utf8" }).stdout, `v${version}\n`);
      const { NODE_TEST_CONTEXT: _, NODE_V8_COVERAGE: __, ...env } = process.env;
      const { status, stdout, stderr } = spawnSync(binary, ["--test-reporter=tap", join(dist, file)], {
        encoding: "utf8",
        // Random cases of all seeds run on the version at hand.
        env: { ...env, LONG_TESTS: "0" },
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
