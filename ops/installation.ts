import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { packageRoot } from "../server/settings/config.js";

/** The package's files that a server needs, beside its dependencies. */
const FILES = ["package.json", "openapi.yaml", "server/assets", "models/jai-small", "dist"];

/** Copies the built package, for tests of its folder. @returns the path of its command line script */
export function copyPackage(to: string, files: readonly string[] = FILES): string {
  for (const name of files) {
    mkdirSync(dirname(join(to, name)), { recursive: true });
    cpSync(join(packageRoot, name), join(to, name), { recursive: true });
  }
  symlinkSync(join(packageRoot, "node_modules"), join(to, "node_modules"));
  return join(to, "dist/server/cli.js");
}
