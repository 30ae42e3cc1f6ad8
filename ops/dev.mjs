// `npm run dev [-- FLAGS]`: compiles on change and restarts the server with what was compiled.
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const start = (...args) => spawn(process.execPath, args, { cwd: root, stdio: "inherit" });

const children = [
  start(join(root, "node_modules/typescript/bin/tsc"), "-p", root, "--watch", "--preserveWatchOutput"),
  start("--watch", join(root, "dist/server/cli.js"), "serve", ...process.argv.slice(2)),
];
const stop = () => {
  for (const child of children) child.kill("SIGTERM");
};
process.on("SIGINT", stop);
process.on("SIGTERM", stop);
for (const child of children) child.on("exit", stop);
