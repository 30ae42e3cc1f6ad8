// Which skips this machine explains. A test that is skipped for anything else has not been run, and CI fails.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const isThere = (command) => spawnSync(command, ["--version"]).error?.code !== "ENOENT";

function systemdVersion() {
  const { stdout } = spawnSync("systemd-analyze", ["--version"], { encoding: "utf8" });
  return Number(/^systemd (\d+)/.exec(stdout ?? "")?.[1] ?? 0);
}

/** What a skipped test's reason begins with, and whether this machine really lacks it. */
const lacks = {
  "needs POSIX": () => process.platform === "win32",
  "needs Linux": () => process.platform !== "linux",
  "needs ../shared": () => !existsSync(join(root, "../shared")),
  "needs systemd-analyze 250": () => systemdVersion() < 250,
  "needs systemd-analyze": () => !isThere("systemd-analyze"),
  "needs a package of Node": () => {
    const { optionalDependencies } = JSON.parse(readFileSync(join(root, "ops/nodes/package.json"), "utf8"));
    return !Object.keys(optionalDependencies).some((name) =>
      name.endsWith(`-${process.platform}-${process.arch}`),
    );
  },
  "needs python3": () => !isThere("python3"),
};

/** @param reason what `event.skip` says: a text, or true where the test gives none */
export function isExpectedSkip(reason) {
  const need = Object.keys(lacks).find((text) => String(reason).startsWith(text));
  return need !== undefined && lacks[need]();
}
