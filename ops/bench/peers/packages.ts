import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** This folder in the sources, not in dist: it has the peers' scripts and the packages that they import. */
export const peersFolder = fileURLToPath(new URL("../../../../ops/bench/peers", import.meta.url));

/**
 * Installs the peers' packages, separate from this project's own, unless they are installed.
 * @throws Error with a one-line message if npm fails
 */
export async function installPackages(): Promise<void> {
  const stamp = join(peersFolder, "node_modules/.installed");
  const lock = createHash("sha256").update(await readFile(join(peersFolder, "package-lock.json")));
  const wanted = lock.digest("hex");
  if (existsSync(stamp) && (await readFile(stamp, "utf8")) === wanted) return;
  await rm(stamp, { force: true });
  // No install scripts: they would download CUDA libraries and llama.cpp's sources, which the packages' binaries don't
  // need.
  const child = spawn("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: peersFolder,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
    // Without npm_… variables: `npm run jai` would pass this project's settings on to this npm.
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name))),
  });
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`npm ci in ops/bench/peers ended with ${code}`);
  await writeFile(stamp, wanted);
}
