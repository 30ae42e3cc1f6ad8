const { npm_package_name: owner, npm_lifecycle_event: script } = process.env;

/** Whether `npm start` or `npm run jai` of this package started the process, rather than another package's script. */
export const isNpmScript = owner === "jai-server" && (script === "start" || script === "jai");

/** Whether `npx jai` started it. Then `jai` may not be on the PATH. */
export const isNpx = script === "npx";

/** Whether it runs below any npm (`npx jai`, a script of any package). npm forwards signals to its shell. */
export const isBelowNpm = script !== undefined;

/** Interval of the check that npm's shell is still alive. */
const PARENT_MS = 500;

/** Calls back when npm's shell has died: npm forwards a signal only to the shell, which tells this process nothing. */
export function onNpmGone(callback: () => void): void {
  if (!isBelowNpm) return;
  const parent = process.ppid;
  const watching = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watching);
    callback();
  }, PARENT_MS);
  watching.unref();
}
