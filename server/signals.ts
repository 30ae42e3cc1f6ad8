/** Nothing is under way at first, and the end of the process closes whatever is open. */
let onSignal = (_signal: "SIGTERM" | "SIGINT"): void => process.exit(0);

/** From now on SIGTERM and SIGINT end the process with 0. Needs to come first: loading a server's modules takes a while. */
export function catchSignals(): void {
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => onSignal(signal));
}

/** Has caught signals do something else. */
export function handleSignals(handler: typeof onSignal): void {
  onSignal = handler;
}
