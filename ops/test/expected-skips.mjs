// Decides which skipped tests are expected on this machine. In CI, any other skip is a failure.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const isThere = (command) => spawnSync(command, ["--version"]).error?.code !== "ENOENT";
/** Whether tests can install a Debian package (debian-package.ts). */
const canInstall = () => process.getuid?.() === 0 && isThere("apt-get");

function systemdVersion() {
  const { stdout } = spawnSync("systemd-analyze", ["--version"], { encoding: "utf8" });
  return Number(/^systemd (\d+)/.exec(stdout ?? "")?.[1] ?? 0);
}

function canMount() {
  const folder = mkdtempSync(join(tmpdir(), "jai-mount-"));
  try {
    const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "none", folder]);
    if (status === 0) spawnSync("umount", [folder]);
    return status === 0;
  } finally {
    rmdirSync(folder);
  }
}

/** Beginnings of skip reasons, each with a check that this machine really lacks the thing. */
const lacks = {
  "needs POSIX": () => process.platform === "win32",
  "needs Linux": () => process.platform !== "linux",
  "needs ../shared": () => !existsSync(join(root, "../shared")),
  "needs systemd-analyze 250": () => systemdVersion() < 250,
  "needs systemd-analyze": () => !isThere("systemd-analyze"),
  "needs systemd-notify": () => !isThere("systemd-notify"),
  "needs a package of Node": () => {
    const { optionalDependencies } = JSON.parse(readFileSync(join(root, "ops/nodes/package.json"), "utf8"));
    return !Object.keys(optionalDependencies).some((name) =>
      name.endsWith(`-${process.platform}-${process.arch}`),
    );
  },
  "needs root on Linux, to mount": () =>
    process.platform !== "linux" || process.getuid() !== 0 || !canMount(),
  "needs Debian's": () => !canInstall(),
  "needs python3": () => !isThere("python3"),
  "needs util-linux's script": () =>
    !spawnSync("script", ["--version"], { encoding: "utf8" }).stdout?.includes("util-linux"),
  "needs bash": () => !isThere("bash"),
  "needs fish": () => !isThere("fish"),
  "needs zsh": () => !isThere("zsh"),
};

/** @param reason value of `event.skip`: a text, or true if the test gives no reason */
export function isExpectedSkip(reason) {
  const need = Object.keys(lacks).find((text) => String(reason).startsWith(text));
  return need !== undefined && lacks[need]();
}
