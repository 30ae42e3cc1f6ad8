#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { commands } from "./cli/commands.js";
import { isNpmScript } from "./cli/npm.js";
import { endWithReader, say } from "./cli/terminal/output.js";
import { visibleLine } from "./cli/terminal/visible.js";
import { UsageError } from "./settings/args.js";
import { packageRoot } from "./settings/config.js";

const overview = [
  "Usage: jai COMMAND [FLAGS]",
  "",
  ...Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(12)}${summary}`),
  "",
  "  jai COMMAND --help   the command's flags",
  "  jai --version",
].join("\n");

/** Runs a command line. Resolves to the exit status, or to null if Node should exit by itself, or go on serving. */
async function main([name, ...args]: string[]): Promise<number | null> {
  if (name === "--version") return tell(packageVersion());
  if (name === "--help" || name === "-h") return tell(overview);
  const command = Object.entries(commands).find(([known]) => known === name)?.[1];
  if (command === undefined) {
    const wrong = name === undefined ? "expected a command" : `unknown command ${JSON.stringify(name)}`;
    process.stderr.write(`jai: ${wrong}; see jai --help\n`);
    return 2;
  }
  let usage = overview;
  try {
    const loaded = await command.load();
    usage = loaded.usage;
    if (args.includes("--help") || args.includes("-h")) return tell(usage);
    await loaded.run(args, commands);
    return null;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof UsageError) {
      process.stderr.write(`${visibleLine(`jai ${name}: ${message}`)}; see jai ${name} --help\n`);
      return 2;
    }
    // It may quote a file or an answer that somebody else wrote.
    process.stderr.write(`${visibleLine(message)}\n`);
    return 1;
  }
}

/** Node exits by itself, so that an output that can't be written is told. */
function tell(text: string): null {
  endWithReader();
  say(text);
  return null;
}

function packageVersion(): string {
  return JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")).version;
}

// npm runs scripts in the package's folder, but the user means relative paths from the folder where they called npm.
if (isNpmScript && process.env.INIT_CWD) process.chdir(process.env.INIT_CWD);

const status = await main(process.argv.slice(2));
// Exit at once: the threads of a server that failed to start would keep the process alive.
if (status !== null) process.exit(status);
