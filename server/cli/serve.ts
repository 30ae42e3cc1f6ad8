import { constants } from "node:os";
import { createLog, type Log } from "../log.js";
import { JaiServer } from "../serve/server.js";
import { describeSettings, readConfig, unknownSettings } from "../settings/config.js";
import { isBelowNpm } from "./npm.js";
import { handleSignals } from "./signals.js";
import { Systemd } from "./systemd.js";

export const usage = `Usage: jai serve [FLAGS]\n\n${describeSettings()}`;

/** npm forwards a signal within this time, in milliseconds. */
const ECHO_MS = 500;
/** Interval of the check that npm's shell is still alive. */
const PARENT_MS = 500;

/** Serves until a signal ends it. @throws an error with a one-line message if it can't start */
export async function run(args: string[]): Promise<void> {
  const config = readConfig(args, process.env);
  const log = createLog(config);
  // When the log's reader closes the pipe, the server goes on.
  process.stdout.on("error", () => {});
  for (const line of unknownSettings(process.env)) log.warn(line);
  const server = await JaiServer.open(config, log);
  await server.listen();
  server.closed.then(
    () => process.exit(0),
    () => process.exit(1),
  );
  const systemd = Systemd.of(process.env, log);
  closeOnSignals(server, config.drainSeconds, log, () => systemd?.stopping());
  await server.ready;
  systemd?.ready(() => server.isWell);
}

function closeOnSignals(server: JaiServer, drainSeconds: number, log: Log, onStop: () => void): void {
  let firstAt: number | null = null;
  const stop = (signal: NodeJS.Signals) => {
    if (firstAt !== null) {
      // Ctrl-C arrives twice below npm: from the terminal, and forwarded by npm. The second one is ignored.
      if (!isBelowNpm || performance.now() - firstAt > ECHO_MS) process.exit(128 + constants.signals[signal]);
      return;
    }
    firstAt = performance.now();
    log.info(`stopping on ${signal}: finishing ${server.requests} requests, for up to ${drainSeconds} s`);
    onStop();
    void server.close();
  };
  handleSignals(stop);
  if (!isBelowNpm) return;
  // npm forwards a signal only to its shell, which dies of it without telling this process: watch for its death.
  const parent = process.ppid;
  const watching = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watching);
    if (firstAt === null) stop("SIGTERM");
  }, PARENT_MS);
  watching.unref();
}
