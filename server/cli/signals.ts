/** At first no request is under way, so a signal just exits. */
let onSignal = (_signal: "SIGTERM" | "SIGINT" | "SIGHUP"): void => process.exit(0);

/**
 * From now on SIGTERM and SIGINT end the process with status 0, and so does SIGHUP at a terminal. Without a terminal,
 * as under nohup, SIGHUP is ignored. Call this first: a signal may come while the server's modules load.
 */
export function catchSignals(): void {
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => onSignal(signal));
  // Without a handler SIGHUP would kill the process even under nohup: Node resets inherited ignored signals.
  process.on("SIGHUP", () => {
    if (process.stdout.isTTY) onSignal("SIGHUP");
  });
}

/** Replaces what caught signals do. */
export function handleSignals(handler: typeof onSignal): void {
  onSignal = handler;
}
