import { spawnSync } from "node:child_process";

/** Time limit for an installation, in case no mirror answers. */
const INSTALL_MS = 300_000;
/** How long apt-get waits for another one, since test files run at the same time. */
const LOCK_SECONDS = 240;

const has = (program: string) => spawnSync(program, ["--version"]).error === undefined;

function aptGet(...args: string[]): boolean {
  const options = ["-o", `DPkg::Lock::Timeout=${LOCK_SECONDS}`, "-y", "-q"];
  const { status } = spawnSync("apt-get", [...options, ...args], {
    stdio: ["ignore", "ignore", "ignore"],
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    timeout: INSTALL_MS,
  });
  return status === 0;
}

/**
 * Sees to it that a program of a Debian package is there, for tests that need it. It is installed if this process may do
 * that: as root, with apt-get.
 * @param name the package
 * @param program the package's program, default of the package's name
 * @returns false, or the reason to skip the tests; `expected-skips.mjs` knows it
 */
export function needsDebianPackage(name: string, program = name): false | string {
  if (has(program)) return false;
  const mayInstall = process.getuid?.() === 0 && has("apt-get");
  const install = () => aptGet("install", "--no-install-recommends", name);
  // The lists of packages may be missing, or older than the mirror.
  const isInstalled = mayInstall && (install() || (aptGet("update") && install()));
  return isInstalled && has(program) ? false : `needs Debian's ${name}`;
}
