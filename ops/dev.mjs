// `npm run dev [-- FLAGS]`: compiles on change and restarts the server with what was compiled.
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
// Both start processes of their own, which outlive them if they are not ended by their group. Windows has no groups.
const grouped = process.platform !== "win32";
const start = (...args) => spawn(process.execPath, args, { cwd: root, stdio: "inherit", detached: grouped });

const compiler = start(
  join(root, "node_modules/typescript/lib/tsc.js"),
  "-p",
  root,
  "--watch",
  "--preserveWatchOutput",
);
const watcher = start("--watch", join(root, "dist/server/cli.js"), "serve", ...process.argv.slice(2));

function killGroup({ pid }, signal) {
  try {
    process.kill(grouped ? -pid : pid, signal);
  } catch {
    // None of it is left.
  }
}

let stopping = false;
function stop() {
  // Once: a server that is told twice does not finish what it has begun.
  if (stopping) return;
  stopping = true;
  killGroup(compiler, "SIGTERM");
  // Not its group: the watcher hands the signal on, and waits for the server.
  watcher.kill("SIGTERM");
}
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stop);
for (const child of [compiler, watcher]) child.on("exit", stop);
process.on("exit", () => {
  for (const child of [compiler, watcher]) killGroup(child, "SIGKILL");
});
