// `npm run dev [-- FLAGS]`: compiles on change and restarts the server with the result.
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
// Both start child processes, which outlive them unless the whole process group is killed. Windows has no groups.
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
    // The group has already ended.
  }
}

let stopping = false;
function stop() {
  // Only once: at a second signal the server exits without finishing its requests.
  if (stopping) return;
  stopping = true;
  killGroup(compiler, "SIGTERM");
  // Only the watcher, not its group: it forwards the signal and waits for the server.
  watcher.kill("SIGTERM");
}
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stop);
for (const child of [compiler, watcher]) child.on("exit", stop);
process.on("exit", () => {
  for (const child of [compiler, watcher]) killGroup(child, "SIGKILL");
});
