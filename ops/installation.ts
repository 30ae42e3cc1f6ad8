import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { packageRoot } from "../server/settings/config.js";

/** What of the package a server needs, beside its dependencies. */
const FILES = ["package.json", "openapi.yaml", "server/assets", "models/jai-small", "dist"];

/** Copies the built package, for a test of what lies in its own folder; returns the path of its command line. */
export function copyPackage(to: string, files: readonly string[] = FILES): string {
  for (const name of files) {
    mkdirSync(dirname(join(to, name)), { recursive: true });
    cpSync(join(packageRoot, name), join(to, name), { recursive: true });
  }
  symlinkSync(join(packageRoot, "node_modules"), join(to, "node_modules"));
  return join(to, "dist/server/cli.js");
}
