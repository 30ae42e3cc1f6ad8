const { npm_package_name: owner, npm_lifecycle_event: script } = process.env;

/** Whether this process is `npm start` or `npm run jai`, and not merely somewhere below an npm of somebody else's. */
export const isNpmScript = owner === "jai-server" && (script === "start" || script === "jai");

/** Whether it is `npx jai`, which is no command on the PATH. */
export const isNpx = script === "npx";

/** Whether it runs below any npm, as `npx jai` and other packages' scripts do: npm hands signals on. */
export const isBelowNpm = script !== undefined;
