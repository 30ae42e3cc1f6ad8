// Installs packages that only tests need, once per lock file.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

/** Time limit for an installation, in case no registry answers. */
const INSTALL_MS = 120_000;

/** Installs a folder's packages. If this fails, the tests that need them are skipped with that reason. */
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
