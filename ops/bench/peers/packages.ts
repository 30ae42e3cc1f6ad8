import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The source of this folder, not what was compiled of it: the scripts that peers run in, and the packages that they import. */
export const peersFolder = fileURLToPath(new URL("../../../../ops/bench/peers", import.meta.url));

/**
 * Installs the packages that peers are made of, beside this project's own and not among them; nothing where they are
 * there already.
 * @throws Error with one line where npm fails
 */
export async function installPackages(): Promise<void> {
  const stamp = join(peersFolder, "node_modules/.installed");
  const lock = createHash("sha256").update(await readFile(join(peersFolder, "package-lock.json")));
  const wanted = lock.digest("hex");
  if (existsSync(stamp) && (await readFile(stamp, "utf8")) === wanted) return;
  await rm(stamp, { force: true });
  // Their scripts download what the packages' own binaries make needless: CUDA libraries, and llama.cpp's sources.
  const child = spawn("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: peersFolder,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
    // `npm run jai` tells the npm below it of this project's settings.
    env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name))),
  });
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`npm ci in ops/bench/peers ended with ${code}`);
  await writeFile(stamp, wanted);
}
