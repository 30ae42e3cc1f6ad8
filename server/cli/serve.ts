import { constants } from "node:os";
import { createLog, type Log } from "../log.js";
import { JaiServer } from "../serve/server.js";
import { describeSettings, readConfig, unknownSettings } from "../settings/config.js";
import { isBelowNpm } from "./npm.js";
import { handleSignals } from "./signals.js";

export const usage = `Usage: jai serve [FLAGS]\n\n${describeSettings()}`;

/** A signal that npm repeats comes within this time. */
const ECHO_MS = 500;
/** How often it is looked whether npm's shell is still there. */
const PARENT_MS = 500;

/** Serves until a signal ends it. @throws an error whose one line says why it can't start */
export async function run(args: string[]): Promise<void> {
  const config = readConfig(args, process.env);
  const log = createLog(config);
  // A log whose reader has gone is no reason to end.
  process.stdout.on("error", () => {});
  for (const line of unknownSettings(process.env)) log.warn(line);
  const server = await JaiServer.open(config, log);
  await server.listen();
  server.closed.then(
    () => process.exit(0),
    () => process.exit(1),
  );
  closeOnSignals(server, config.drainSeconds, log);
  await server.ready;
}

function closeOnSignals(server: JaiServer, drainSeconds: number, log: Log): void {
  let firstAt: number | null = null;
  const stop = (signal: NodeJS.Signals) => {
    if (firstAt !== null) {
      // npm hands on the Ctrl-C that the terminal has sent here already.
      if (!isBelowNpm || performance.now() - firstAt > ECHO_MS) process.exit(128 + constants.signals[signal]);
      return;
    }
    firstAt = performance.now();
    log.info(`stopping on ${signal}: finishing ${server.requests} requests, for up to ${drainSeconds} s`);
    void server.close();
  };
  handleSignals(stop);
  if (!isBelowNpm) return;
  // A signal to npm goes on to the shell below it, which dies of it and doesn't tell this process.
  const parent = process.ppid;
  const watching = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watching);
    if (firstAt === null) stop("SIGTERM");
  }, PARENT_MS);
  watching.unref();
}
