#!/usr/bin/env node
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isNpmScript } from "./cli/npm.js";
import { catchSignals } from "./cli/signals.js";
import { UsageError } from "./settings/args.js";
import { packageRoot } from "./settings/config.js";

/** Exports of a command's module. */
interface Command {
  /** Its flags, for `jai COMMAND --help`. */
  usage: string;
  /**
   * Resolves when the command is done; for `serve`, when the server is ready, which then runs until a signal.
   * @throws UsageError for wrong usage
   * @throws an error whose message is the one line that the user sees
   */
  run(args: string[]): Promise<void>;
}

const commands: Record<string, { summary: string; load: () => Promise<Command> }> = {
  import: { summary: "turn a checkpoint into a model folder", load: () => import("./cli/import.js") },
  serve: {
    summary: "serve a model folder over HTTP",
    load: () => {
      catchSignals();
      return import("./cli/serve.js");
    },
  },
  chat: { summary: "talk to a running server", load: () => import("./cli/chat.js") },
  data: { summary: "check, repair or export stored jobs", load: () => import("./cli/data.js") },
  bench: {
    summary: "measure tokens per second",
    load: () => {
      // The npm package has no ops/bench: say so, where import() would say only "cannot find module".
      if (!existsSync(new URL("../ops/bench/index.js", import.meta.url)))
        throw new Error(
          "jai bench: expected a checkout of the repository, got the npm package, which has no benchmark",
        );
      return import("../ops/bench/index.js");
    },
  },
};

const overview = [
  "Usage: jai COMMAND [FLAGS]",
  "",
  ...Object.entries(commands).map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`),
  "",
  "  jai COMMAND --help   the command's flags",
  "  jai --version",
].join("\n");

/** Runs a command line. Resolves to the exit status, or to null if Node should exit by itself, or go on serving. */
async function main([name, ...args]: string[]): Promise<number | null> {
  if (name === "--version") return say(packageVersion());
  if (name === "--help" || name === "-h") return say(overview);
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
    if (args.includes("--help") || args.includes("-h")) return say(usage);
    await loaded.run(args);
    return null;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof UsageError) {
      process.stderr.write(`jai ${name}: ${message}; see jai ${name} --help\n`);
      return 2;
    }
    process.stderr.write(`${message}\n`);
    return 1;
  }
}

function say(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

function packageVersion(): string {
  return JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")).version;
}

// npm runs scripts in the package's folder, but the user means relative paths from the folder where they called npm.
if (isNpmScript && process.env.INIT_CWD) process.chdir(process.env.INIT_CWD);

const status = await main(process.argv.slice(2));
// Exit at once: the threads of a server that failed to start would keep the process alive.
if (status !== null) process.exit(status);
