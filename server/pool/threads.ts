import { once } from "node:events";
import type { Worker } from "node:worker_threads";
import { settlesWithin } from "../settles-within.js";

/** How long a pool that closes waits for the threads that were given up, in milliseconds. */
const LONGEST_WAIT_MS = 1000;

/** Threads that were ended, but still live: native code that never returns can't be interrupted. */
const undead = new Set<Worker>();

/**
 * Gives a thread up that hangs or is to be replaced: its owner, Piscina, drops it at once, as if it had thrown, and
 * starts another. An endless loop ends with it. Native code does not: then the thread stays, with its memory, until that
 * code returns.
 * @param reason the error's message, for the owner
 * @param isInRuntime whether it is inside the native runtime. There it must not be ended, or the whole process would end
 * when the run returns; it ends itself then.
 */
export function abandon(thread: Worker, isInRuntime: boolean, reason: string): void {
  if (undead.size === 0) process.once("exit", exitWithoutUndead);
  // Piscina drops it below. At its end Piscina would start one more thread, even if it is destroyed by then.
  thread.removeAllListeners("exit");
  undead.add(thread);
  thread.once("exit", () => {
    undead.delete(thread);
    if (undead.size === 0) process.off("exit", exitWithoutUndead);
  });
  if (isInRuntime) thread.terminate = () => Promise.resolve(0);
  // The process must not wait for it, but Piscina would let it.
  thread.ref = () => {};
  thread.emit("error", new Error(reason));
  thread.unref();
}

/** Resolves when all threads that were given up have ended, or when that takes too long. */
export async function untilEnded(): Promise<void> {
  if (undead.size === 0) return;
  const ends = [...undead].map((thread) => once(thread, "exit"));
  await settlesWithin(LONGEST_WAIT_MS, Promise.allSettled(ends));
}

/**
 * Node waits for its threads as the process exits, and would wait for these for ever. So the process ends like this, and
 * not with its status.
 */
function exitWithoutUndead(): void {
  if (undead.size > 0) process.kill(process.pid, "SIGKILL");
}
