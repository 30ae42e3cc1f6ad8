/** Nothing is under way at first, and the end of the process closes whatever is open. */
let onSignal = (_signal: "SIGTERM" | "SIGINT" | "SIGHUP"): void => process.exit(0);

/**
 * From now on SIGTERM and SIGINT end the process with 0, and so does a hang-up of its own terminal; away from one, as
 * under nohup, SIGHUP is ignored. Needs to come first: loading a server's modules takes a while.
 */
export function catchSignals(): void {
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => onSignal(signal));
  // A handler even where nothing is to happen: Node drops the "ignored" that nohup hands down.
  process.on("SIGHUP", () => {
    if (process.stdout.isTTY) onSignal("SIGHUP");
  });
}

/** Has caught signals do something else. */
export function handleSignals(handler: typeof onSignal): void {
  onSignal = handler;
}
