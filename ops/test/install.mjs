// Installs what a package's lock file names, once: the packages that only tests need.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

/** No more, where no registry answers. */
const INSTALL_MS = 120_000;

/** Where this fails, tests that need the package say so and are skipped. */
export function installPackage(folder) {
  const lock = createHash("sha256")
    .update(readFileSync(join(folder, "package-lock.json")))
    .digest("hex");
  const stamp = join(folder, "node_modules/.jai-installed");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === lock) return;
  process.stderr.write(`jai-server: installing what the tests in ${basename(folder)} need\n`);
  const { status } = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: folder,
    stdio: ["ignore", 2, 2],
    timeout: INSTALL_MS,
    shell: process.platform === "win32",
  });
  if (status === 0) writeFileSync(stamp, lock);
}
