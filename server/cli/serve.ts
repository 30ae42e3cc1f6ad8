import { constants } from "node:os";
import { createLog, type Log } from "../log.js";
import { ParentLink } from "../serve/parent-link.js";
import type { JaiServer } from "../serve/server.js";
import { type Config, describeSettings, readConfig, settings, unknownSettings } from "../settings/config.js";
import type { Flags } from "./command.js";
import { isBelowNpm, onNpmGone } from "./npm.js";
import { handleLevelSignal, handleSignals } from "./signals.js";
import { Systemd } from "./systemd.js";

export const usage = `Usage: jai serve [FLAGS]\n\n${describeSettings()}`;

export const flags: Flags = Object.fromEntries(
  Object.values(settings).map(({ flag, value, description }) => [
    flag,
    { type: "string", value, description },
  ]),
);

/** npm forwards a signal within this time, in milliseconds. */
const ECHO_MS = 500;

/** Serves until a signal ends it. @throws an error with a one-line message if it can't start */
export async function run(args: string[]): Promise<void> {
  const config = readConfig(args, process.env);
  const log = createLog(config);
  // When the log's reader closes the pipe, the server goes on.
  process.stdout.on("error", () => {});
  const parent = ParentLink.open();
  if (config.restart === "on" && parent === null) return watch(args, config, log);
  handleLevelSignal(() => log.toggleDebug());
  for (const line of unknownSettings(process.env)) log.warn(line);
  const { JaiServer } = await import("../serve/server.js");
  // The process is the server's own, so its start is the server's.
  const server = await JaiServer.open(config, log, 0);
  await server.listen(parent);
  server.closed.then(
    () => process.exit(0),
    () => process.exit(1),
  );
  const systemd = Systemd.of(process.env, log);
  const isStopping = closeOnSignals(server, {
    drainSeconds: config.drainSeconds,
    log,
    parent,
    onStop: () => systemd?.stopping(),
  });
  try {
    await server.ready;
  } catch (error) {
    // A stop also ends the loading. The process ends when the server is closed.
    if (isStopping()) return;
    throw error;
  }
  parent?.ready();
  systemd?.ready(() => server.isWell);
}

/** Serves in a child process, and stays here to start it again when it crashes. */
async function watch(args: readonly string[], { drainSeconds }: Config, log: Log): Promise<void> {
  const { Parent } = await import("../serve/parent.js");
  const parent = new Parent({ script: process.argv[1]!, args: ["serve", ...args], drainSeconds, log });
  parent.ended.then((status) => process.exit(status));
  handleSignals((signal) => parent.stop(signal));
  handleLevelSignal(() => parent.toggleDebug());
  onNpmGone(() => parent.stop("SIGTERM"));
}

interface Closing {
  drainSeconds: number;
  log: Log;
  parent: ParentLink | null;
  /** Called at the first signal. */
  onStop: () => void;
}

/** Returns whether a signal has come. */
function closeOnSignals(server: JaiServer, { drainSeconds, log, parent, onStop }: Closing): () => boolean {
  let firstAt: number | null = null;
  const stop = (signal: NodeJS.Signals) => {
    if (firstAt !== null) {
      // Ctrl-C arrives twice below npm: from the terminal, and forwarded by npm. The second one is ignored.
      if (!isBelowNpm || performance.now() - firstAt > ECHO_MS) process.exit(128 + constants.signals[signal]);
      return;
    }
    firstAt = performance.now();
    log.info(`stopping on ${signal}: finishing ${server.requests} sequences, for up to ${drainSeconds} s`);
    onStop();
    void server.close();
  };
  handleSignals(stop);
  parent?.onGone(() => stop("SIGTERM"));
  onNpmGone(() => {
    if (firstAt === null) stop("SIGTERM");
  });
  return () => firstAt !== null;
}
