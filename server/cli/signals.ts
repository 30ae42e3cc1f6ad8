/** At first no request is under way, so a signal just exits. */
let onSignal = (_signal: "SIGTERM" | "SIGINT" | "SIGHUP"): void => process.exit(0);

/** Called for each SIGUSR2. At first there is no log whose level it could switch. */
let onSwitch = (): void => {};

/**
 * From now on SIGTERM and SIGINT end the process with status 0, and so does SIGHUP at a terminal. Without a terminal,
 * as under nohup, SIGHUP is ignored. SIGUSR2 does nothing yet. Call this first: a signal may come while the server's
 * modules load.
 */
export function catchSignals(): void {
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => onSignal(signal));
  // Without a handler SIGHUP would kill the process even under nohup: Node resets inherited ignored signals.
  process.on("SIGHUP", () => {
    if (process.stdout.isTTY) onSignal("SIGHUP");
  });
  // Windows has no such signal. Elsewhere it ends a process that has no handler.
  if (process.platform !== "win32") process.on("SIGUSR2", () => onSwitch());
}

/** Replaces what caught signals do that end the process. */
export function handleSignals(handler: typeof onSignal): void {
  onSignal = handler;
}

/** Replaces what SIGUSR2 does: it switches the log's level. */
export function handleLevelSignal(handler: typeof onSwitch): void {
  onSwitch = handler;
}
